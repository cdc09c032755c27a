// Checks files of deploy/ with the code of those who will read them:
//
//	check compose FILE...    the Compose specification's own loader
//	check manifests FILE...  Kubernetes' own types, strictly: an unknown field or a wrong type is an error
//	check rules FILE...      Prometheus' own parser of rules, and of the expressions in them
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

func main() {
	checks := map[string]func(string) (string, error){"compose": compose, "manifests": manifests, "rules": rules}
	if len(os.Args) < 3 || checks[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: check compose|manifests|rules FILE...")
		os.Exit(2)
	}
	failed := false
	for _, path := range os.Args[2:] {
		found, err := checks[os.Args[1]](path)
		if err != nil {
			failed = true
			found = "FAILED: " + err.Error()
		}
		fmt.Printf("%s %s: %s\n", os.Args[1], path, found)
	}
	if failed {
		os.Exit(1)
	}
}

func compose(path string) (string, error) {
	options, err := cli.NewProjectOptions([]string{path}, cli.WithOsEnv)
	if err != nil {
		return "", err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("project %s, services %v", project.Name, project.ServiceNames()), nil
}

// kind makes an empty one of what the chart is made of. Another kind is an error until it is listed here.
var kind = map[string]func() any{
	"apps/v1 StatefulSet":                func() any { return &apps.StatefulSet{} },
	"v1 Service":                         func() any { return &core.Service{} },
	"v1 ServiceAccount":                  func() any { return &core.ServiceAccount{} },
	"v1 ConfigMap":                       func() any { return &core.ConfigMap{} },
	"networking.k8s.io/v1 NetworkPolicy": func() any { return &networking.NetworkPolicy{} },
}

func manifests(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	count := 0
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return fmt.Sprintf("%d objects", count), nil
		}
		if err != nil {
			return "", err
		}
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		}
		if err := strict.Unmarshal(document, &head); err != nil {
			return "", err
		}
		if head.Kind == "" {
			continue // nothing but comments
		}
		name := head.APIVersion + " " + head.Kind
		if kind[name] == nil {
			return "", fmt.Errorf("%s is not known here", name)
		}
		if err := strict.UnmarshalStrict(document, kind[name]()); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		count++
	}
}

func rules(path string) (string, error) {
	groups, problems := rulefmt.ParseFile(path, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.Default())
	if len(problems) > 0 {
		return "", errors.Join(problems...)
	}
	count := 0
	for _, group := range groups.Groups {
		count += len(group.Rules)
	}
	return fmt.Sprintf("%d rules", count), nil
}
