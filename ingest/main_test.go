package ingest

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"penstock"
	"penstock/internal/edge"
	"penstock/internal/edge/edgetest"
	"penstock/protocol/jsonevents"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const path = "POST /v1/streams/clicks/lines"

// start starts a door for one test. When the test ends, an honest request is accepted and nothing is in flight.
func start(t *testing.T, o Options) (*edgetest.Server, *Door, *counter) {
	t.Helper()
	return startWith(t, o, edge.ServerOptions{})
}

func startWith(t *testing.T, o Options, so edge.ServerOptions) (*edgetest.Server, *Door, *counter) {
	t.Helper()
	log, ok := o.Log.(*counter)
	if !ok {
		log = &counter{}
		o.Log = log
	}
	if o.Cluster = testCluster(); o.Streams == nil {
		o.Streams = anyStream{}
	}
	o.Protocols = []penstock.Protocol{&lines{}, jsonevents.New()}
	door := New(o)
	guard := edge.NewGuard(edge.GuardOptions{})
	door.Register(guard)
	t.Cleanup(func() {
		if held := door.InFlight(); held != 0 {
			t.Errorf("%d bytes are still in flight", held)
		}
	})
	return edgetest.Start(t, edgetest.Options{Handler: guard, Server: so, Honest: request(path, "", "honest"), Status: 202}), door, log
}

func request(line, headers, body string) string {
	return fmt.Sprintf("%s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s", line, headers, len(body), body)
}

// expectStored checks how many events the log was given.
func expectStored(t *testing.T, log *counter, want int) {
	t.Helper()
	if got := log.count(); got != want {
		t.Errorf("%d events were stored, want %d", got, want)
	}
}

// expectBody checks that an answer contains some texts.
func expectBody(t *testing.T, a edgetest.Answer, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.Body, text) {
			t.Errorf("the answer lacks %s: %s", text, a.Body)
		}
	}
}
