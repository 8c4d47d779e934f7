package edge_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"penstock"
	"penstock/internal/edge"
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

func TestListenNeedsAWholeCertificate(t *testing.T) {
	cert, _ := writeCertificate(t)
	if _, err := edge.Listen("127.0.0.1:0", edge.ListenOptions{CertFile: cert}); !penstock.Is(err, penstock.Invalid) {
		t.Errorf("a certificate without key: %v", err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	addr, _ := startTLS(t, http.NotFoundHandler())
	_, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
}
