package edge_test

import (
	"flag"
	"io"
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"penstock/internal/edge"
	"penstock/internal/edge/edgetest"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected outputs in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	webToken   = "web-secret-0123456789"
	readToken  = "read-secret-0123456789"
	adminToken = "admin-secret-0123456789"
)

func tokens() *edge.Tokens {
	return edge.NewTokens([]edge.Token{
		{Name: "web", Secret: webToken, Allow: edge.Write},
		{Name: "reader", Secret: readToken, Allow: edge.Read},
		{Name: "boss", Secret: adminToken, Allow: edge.Admin},
	})
}

// routes registers a route of each scope; the one that writes reads its body and says how much came.
func routes(g *edge.Guard) {
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		edge.WriteJSON(w, http.StatusOK, map[string]any{"read": n, "path": r.URL.Path})
	})
	g.Handle("GET /healthz", edge.None, ok)
	g.Handle("POST /v1/streams/{stream}/events", edge.Write, ok)
	g.Handle("GET /v1/streams", edge.Read, ok)
	g.Handle("POST /v1/sql", edge.Read, ok)
	g.Handle("POST /v1/dlq/replay", edge.Admin, ok)
	g.Handle("GET /panic", edge.None, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret text") }))
}

const honest = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

// start starts a server with all routes, for one row of bad requests.
func start(t *testing.T, g edge.GuardOptions, s edge.ServerOptions) *edgetest.Server {
	t.Helper()
	guard := edge.NewGuard(g)
	routes(guard)
	return edgetest.Start(t, edgetest.Options{Handler: guard, Server: s, Honest: honest})
}

func startGuard(t *testing.T, g *edge.Guard) *edgetest.Server {
	t.Helper()
	return edgetest.Start(t, edgetest.Options{Handler: g, Honest: honest})
}
