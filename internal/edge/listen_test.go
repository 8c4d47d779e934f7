package edge_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"penstock"
	"penstock/internal/edge"
	"penstock/internal/edge/edgetest"
)

func TestListenRefusesOtherMachinesWithoutTokens(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:0", "no port"} {
		if _, err := edge.Listen(addr, edge.ListenOptions{}); !penstock.Is(err, penstock.Invalid) {
			t.Errorf("%s: %v", addr, err)
		}
	}
	listener, err := edge.Listen("0.0.0.0:0", edge.ListenOptions{Guarded: true})
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
}

func TestCertificateIsAWholePair(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	cert, key := edgetest.WriteCertificate(t, dir, 1)
	_, foreign := edgetest.WriteCertificate(t, other, 2)
	for _, pair := range [][2]string{{cert, ""}, {"", key}, {cert, foreign}, {cert, cert}, {key, key}, {cert, dir}, {cert, dir + "/missing"}} {
		if _, err := edge.LoadCertificate(pair[0], pair[1]); !penstock.Is(err, penstock.Invalid) {
			t.Errorf("%q: %v", pair, err)
		}
	}
}

// A connection that stands keeps what it began with, the next one sees the new certificate.
func TestCertificateIsReplaced(t *testing.T) {
	first, err := edge.LoadCertificate(edgetest.WriteCertificate(t, t.TempDir(), 1))
	if err != nil {
		t.Fatal(err)
	}
	second, err := edge.LoadCertificate(edgetest.WriteCertificate(t, t.TempDir(), 2))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := edge.Listen("127.0.0.1:0", edge.ListenOptions{Certificate: first})
	if err != nil {
		t.Fatal(err)
	}
	server := edge.NewServer(http.NotFoundHandler(), edge.ServerOptions{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	defer func() {
		_ = server.Close()
		<-done
	}()
	dial := func(serial int64) *tls.Conn {
		t.Helper()
		conn, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(); got != serial {
			t.Errorf("certificate %d, want %d", got, serial)
		}
		return conn
	}
	before := dial(1)
	defer before.Close()
	first.Replace(second)
	_ = dial(2).Close()
	if _, err := io.WriteString(before, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := http.ReadResponse(bufio.NewReader(before), nil); err != nil || answer.StatusCode != 404 {
		t.Errorf("the connection from before: %v, %v", answer, err)
	}
	if !first.Ends().Equal(second.Ends()) || time.Until(first.Ends()) <= 0 {
		t.Errorf("it ends %v", first.Ends())
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	addr, _ := startTLS(t, http.NotFoundHandler())
	_, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
}
