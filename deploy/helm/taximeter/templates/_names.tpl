{{- define "taximeter.name" -}}
{{- contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "taximeter.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "taximeter.labels" -}}
{{ include "taximeter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "taximeter.access" -}}
{{- if and .Values.access.clientCertificates (not .Values.access.tlsSecret) }}
{{- fail "access.clientCertificates needs access.tlsSecret: a secret with tls.crt, tls.key and ca.crt" }}
{{- end }}
{{- if not (or .Values.access.tokensSecret .Values.access.allowUnauthenticated (and .Values.access.tlsSecret .Values.access.clientCertificates)) }}
{{- fail "say who may send: access.tokensSecret, access.tlsSecret with access.clientCertificates, or access.allowUnauthenticated" }}
{{- end }}
{{- end }}
