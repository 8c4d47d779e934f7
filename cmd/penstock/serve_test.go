package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"penstock"
	"penstock/internal/checksum"
	"penstock/internal/edge/edgetest"
)

func TestParseRoles(t *testing.T) {
	for text, want := range map[string]roles{
		"ingest": {ingest: true}, "query, consumer": {consumer: true, query: true}, "ingest,consumer,query": allRoles(),
	} {
		got, err := parseRoles(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := parseRoles(got.String()); err != nil || again != got {
			t.Errorf("%s reads back as %+v, %v", got, again, err)
		}
	}
	for text, want := range map[string]string{"": "none of", "ingestt": `did you mean "ingest"`, "console": "not built", "ingest,,query": "none of"} {
		if _, err := parseRoles(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestWelcome(t *testing.T) {
	var out bytes.Buffer
	printWelcome(&out, greeting{program: "bin/penstock", url: "http://127.0.0.1:7367", data: "/data", durable: true})
	for _, want := range []string{"/data", "  URL   http://127.0.0.1:7367\n", "  curl http://127.0.0.1:7367/v1/streams/clicks/events -d ",
		"  bin/penstock sql \"select", "  bin/penstock tail clicks\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q lacks %q", out.String(), want)
		}
	}
	out.Reset()
	printWelcome(&out, greeting{program: "penstock", url: "http://127.0.0.1:1", data: "/data", tokens: true})
	for _, want := range []string{"in memory", "penstock sql --url http://127.0.0.1:1 ", "$PENSTOCK_TOKEN"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q lacks %q", out.String(), want)
		}
	}
}

func TestDemoNeedsWhatItSends(t *testing.T) {
	read := &Config{Tokens: []TokenConfig{{Secret: "r", Allow: []string{"read"}}}}
	write := &Config{Tokens: []TokenConfig{{Secret: "r", Allow: []string{"read"}}, {Secret: "w", Allow: []string{"write"}}}}
	secure := &Config{TLS: TLSConfig{Cert: "c", Key: "k"}}
	for i, c := range []struct {
		config *Config
		demo   bool
		ok     bool
	}{{&Config{}, true, true}, {read, true, false}, {read, false, true}, {write, true, true}, {secure, true, false}, {secure, false, true}} {
		if err := checkDemo(c.config, c.demo); (err == nil) != c.ok {
			t.Errorf("case %d: %v", i, err)
		}
	}
	if got := demoToken(write); got != "w" {
		t.Errorf("token %q", got)
	}
}

func TestDebugListensToThisMachineAlone(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "192.0.2.1:6060"} {
		_, err := serveDebug(addr, func(string) {})
		var usage *exitError
		if !errors.As(err, &usage) || usage.status != exitUsage {
			t.Errorf("%s: %v", addr, err)
		}
	}
	var url string
	end, err := serveDebug("127.0.0.1:0", func(line string) { url = strings.TrimPrefix(line, "profiles at ") })
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	resp, err := http.Get(url + "heap?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s", resp.Status)
	}
}

// ingestOnly opens a server whose log is in memory and that has no store.
func ingestOnly(t *testing.T) *server {
	t.Helper()
	return ingestWith(t, "", t.Output())
}

func ingestWith(t *testing.T, config string, logged io.Writer) *server {
	t.Helper()
	c, err := loadText(t, "listen: 127.0.0.1:0\nlog: \"memory:\"\nstreams: {clicks: }\ndata: "+t.TempDir()+"\n"+config, settings{})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(logged, nil))
	e, err := openEngine(t.Context(), c, engineOptions{roles: roles{ingest: true}, log: log})
	if err != nil {
		t.Fatal(err)
	}
	s, err := openServer(e)
	if err != nil {
		t.Fatal(closeAfter(err, e))
	}
	return s
}

func TestServerEndsWithAnErrorWhenTheLogHasFailed(t *testing.T) {
	s := ingestOnly(t)
	failed := make(chan struct{})
	s.failed = failed
	close(failed)
	if err := s.run(t.Context()); !penstock.Is(err, penstock.Corrupt) {
		t.Errorf("run: %v", err)
	}
	if err := s.journal.Ready(0); !penstock.Is(err, penstock.Unavailable) {
		t.Errorf("the log was left open: %v", err)
	}
}

func TestLogInMemoryTakesChecksumsAgain(t *testing.T) {
	s := ingestOnly(t)
	defer s.close()
	defer s.listener.Close()
	builder := penstock.NewBlockBuilder(penstock.NewPartitioner(s.cluster))
	block := func(change penstock.Checksum) *penstock.Block {
		builder.Reset(penstock.DefaultTenant, "clicks", penstock.MicrosOf(stageNoon), 0)
		e := penstock.Event{ID: []byte("1"), Key: []byte("k"), Body: []byte("{}")}
		e.Sum = checksum.NewHasher(s.cluster).Stream(penstock.DefaultTenant, "clicks").Sum(e.Key, e.ID, e.Body) ^ change
		builder.Add(e)
		return builder.Take()
	}
	if err := s.journal.Append(t.Context(), block(1)); !penstock.Is(err, penstock.Internal) {
		t.Errorf("a checksum that is not the event's: %v", err)
	}
	if err := s.journal.Append(t.Context(), block(0)); err != nil {
		t.Error(err)
	}
}

func TestReadyNamesTheRoleThatIsNot(t *testing.T) {
	s := ingestOnly(t)
	defer s.close()
	defer s.listener.Close()
	if got := s.readiness(t.Context()); len(got) != 1 || !got["ingest"].Ready {
		t.Errorf("%+v", got)
	}
	s.ending.Store(true)
	if got := s.readiness(t.Context())["ingest"]; got.Ready || got.Reason != "shutting_down" {
		t.Errorf("%+v", got)
	}
	s.ending.Store(false)
	if err := s.journal.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.readiness(t.Context())["ingest"]; got.Ready || got.Reason != "unavailable" {
		t.Errorf("%+v", got)
	}
}

func TestPumpIsNotReadyDuringAnOutage(t *testing.T) {
	p := &pump{}
	if p.ready() != nil {
		t.Error("not ready at first")
	}
	p.fails(errors.New("no room"), time.Second)
	if p.ready() == nil {
		t.Error("ready during an outage")
	}
	p.works()
	if p.ready() != nil {
		t.Error("not ready after a batch was applied")
	}
	p.fails(errors.New("no room"), -2*outageGrace)
	if p.ready() != nil {
		t.Error("an outage of which nothing more was heard stays for ever")
	}
}

func TestReloadRefusesWhatWasChosenOnce(t *testing.T) {
	s := ingestOnly(t)
	defer s.close()
	s.listener.Close()
	present := s.config
	next := *present
	next.Partitions = 8
	if err := s.follow(present, &next); !penstock.Is(err, penstock.Conflict) {
		t.Errorf("partitions: %v", err)
	}
	next = *present
	next.Cluster.ID = "000102030405060708090a0b0c0d0e0f"
	if err := s.follow(present, &next); !penstock.Is(err, penstock.Conflict) {
		t.Errorf("cluster: %v", err)
	}
	next.Cluster.ID = s.cluster.ID
	if err := s.follow(present, &next); err != nil {
		t.Errorf("the same, spelled out: %v", err)
	}
}

func TestReloadWithoutTokensIsRefusedWhereOthersReachTheServer(t *testing.T) {
	s := ingestOnly(t)
	defer s.close()
	s.listener.Close()
	open, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	s.listener = open
	if err := s.follow(s.config, s.config); !penstock.Is(err, penstock.Invalid) || !strings.Contains(err.Error(), "tokens") {
		t.Errorf("follow: %v", err)
	}
}

// The files are read again with the configuration. A bad pair keeps the one before, and the log says so.
func TestReloadReadsTheCertificateAgain(t *testing.T) {
	dir, logged := t.TempDir(), &transcript{}
	cert, key := edgetest.WriteCertificate(t, dir, 1)
	config := "tls: {cert: " + cert + ", key: " + key + "}\n"
	s := ingestWith(t, config, logged)
	defer s.close()
	serving := make(chan error, 1)
	go func() { serving <- s.http.Serve(s.listener) }()
	defer func() { <-serving }()
	defer s.http.Close()
	expect := func(serial int64) {
		t.Helper()
		conn, err := tls.Dial("tcp", s.listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(); got != serial {
			t.Errorf("certificate %d, want %d\n%s", got, serial, logged)
		}
	}
	r := &reloader{server: s, present: s.config, read: func() (*Config, error) {
		return loadText(t, "log: \"memory:\"\nstreams: {clicks: }\n"+config, settings{})
	}}
	expect(1)
	edgetest.WriteCertificate(t, dir, 2)
	expect(1)
	r.apply()
	expect(2)
	if text := logged.String(); !strings.Contains(text, "certificate in force") || strings.Contains(text, "setting=tls") {
		t.Error(text)
	}
	edgetest.WriteCertificate(t, dir, 3)
	if err := os.WriteFile(key, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.apply()
	expect(2)
	if text := logged.String(); !strings.Contains(text, "the one before stays") || !strings.Contains(text, "p.yaml:3: tls: ") {
		t.Error(text)
	}
	cert, key = edgetest.WriteCertificate(t, t.TempDir(), 4)
	config = "tls: {cert: " + cert + ", key: " + key + "}\n"
	r.apply()
	expect(4)
}

func TestShardsShareThePartitions(t *testing.T) {
	specs := shardSpecs([]string{"duckdb:a", "duckdb:b", "duckdb:c"}, 8)
	seen := map[penstock.Partition]bool{}
	for _, s := range specs {
		if len(s.Partitions) < 2 || len(s.Partitions) > 3 {
			t.Errorf("%s has %v", s.Name, s.Partitions)
		}
		for _, p := range s.Partitions {
			if seen[p] {
				t.Errorf("partition %d twice", p)
			}
			seen[p] = true
		}
	}
	if len(seen) != 8 || specs[1].Name != "b" {
		t.Errorf("%+v", specs)
	}
}

func TestShardHasANameOfItsOwn(t *testing.T) {
	for _, name := range otherNames {
		_, err := loadText(t, "store: \"duckdb:"+name+"\"\n", settings{})
		if err == nil || !strings.Contains(err.Error(), "store[0]") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
