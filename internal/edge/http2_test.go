package edge_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"penstock/internal/edge"
	"penstock/internal/edge/edgetest"
)

// The parts of HTTP/2 that the attacks are made of (RFC 9113, section 6).
const (
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	frameGoAway       = 7
	frameContinuation = 9

	endStream, endHeaders = 1, 4
)

// fields is GET / of localhost in HPACK, without a dynamic table (RFC 7541).
var fields = append([]byte{0x82, 0x87, 0x84, 0x01, 9}, "localhost"...)

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}

func TestRow12RapidReset(t *testing.T) {
	release := make(chan struct{})
	addr, conn := startTLS(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	attack := func(n uint32) []byte {
		return append(frame(frameHeaders, endStream|endHeaders, n, fields), frame(frameReset, 0, n, []byte{0, 0, 0, 8})...)
	}
	end := flood(t, conn, func(w io.Writer) error {
		for n := uint32(1); n < 200_000; n += 2 {
			if _, err := w.Write(attack(n)); err != nil {
				return err
			}
		}
		return nil
	})
	close(release)
	if end != "GOAWAY" {
		t.Errorf("the attack ended with %s", end)
	}
	honestTLS(t, addr)
}

func TestRow13ContinuationFlood(t *testing.T) {
	addr, conn := startTLS(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	filler := bytes.Repeat([]byte{0x00, 0x01, 'a', 0x01, 'b'}, 3000) // a: b
	end := flood(t, conn, func(w io.Writer) error {
		if _, err := w.Write(frame(frameHeaders, endStream, 1, fields)); err != nil {
			return err
		}
		for range 10_000 {
			if _, err := w.Write(frame(frameContinuation, 0, 1, filler)); err != nil {
				return err
			}
		}
		return nil
	})
	if end == "silence" {
		t.Error("the attack went on to its end")
	}
	honestTLS(t, addr)
}

// flood opens HTTP/2, attacks, and says how the server ended it: with GOAWAY, or with the end of the connection.
func flood(t *testing.T, conn net.Conn, attack func(io.Writer) error) string {
	t.Helper()
	attacked := make(chan error, 1)
	go func() {
		_, err := conn.Write(append([]byte(preface), frame(frameSettings, 0, 0, nil)...))
		attacked <- errors.Join(err, attack(conn))
	}()
	end := "silence"
	for {
		var header [9]byte
		if _, err := io.ReadFull(conn, header[:]); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) && end == "silence" {
				end = "close"
			}
			break
		}
		if header[3] == frameGoAway {
			end = "GOAWAY"
			break
		}
		size := int64(header[0])<<16 | int64(header[1])<<8 | int64(header[2])
		if _, err := io.CopyN(io.Discard, conn, size); err != nil {
			break
		}
	}
	_ = conn.Close()
	<-attacked
	return end
}

// startTLS starts a server with a certificate of its own and opens an HTTP/2 connection to it. The path /honest is answered at once.
func startTLS(t *testing.T, h http.Handler) (addr string, conn net.Conn) {
	t.Helper()
	certificate, err := edge.LoadCertificate(edgetest.WriteCertificate(t, t.TempDir(), 1))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := edge.Listen("127.0.0.1:0", edge.ListenOptions{Certificate: certificate})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("/honest", func(w http.ResponseWriter, r *http.Request) { edge.WriteJSON(w, 200, r.Proto) })
	server := edge.NewServer(mux, edge.ServerOptions{MaxStreams: 16})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	addr = listener.Addr().String()
	conn, err = tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	t.Cleanup(func() { _ = conn.Close() })
	return addr, conn
}

func honestTLS(t *testing.T, addr string) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("https://" + addr + "/honest")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 || string(body) != "\"HTTP/2.0\"\n" {
		t.Errorf("an honest request got %d %s", resp.StatusCode, body)
	}
}
