// Package edge is what every listener and route of Penstock has in common, and the only place that speaks HTTP
// statuses: how an error becomes an answer, who may call what, and which requests are turned away before a handler
// sees them.
//
//	Listen ─▶ NewServer ─▶ Guard ─▶ the handler of a route
//	 cap, TLS   time limits   host, size, path, method, token, panics
//
// docs/adr/006-http.md says which malformed requests net/http answers by itself, and with what.
package edge
