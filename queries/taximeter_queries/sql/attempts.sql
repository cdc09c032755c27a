-- Calls that count, and those that failed and cost nothing, as sql/failures.sql tells them.
SELECT * FROM /*calls*/ calls /*.*/ WHERE billable
UNION ALL
SELECT * FROM /*failures*/ failures /*.*/
