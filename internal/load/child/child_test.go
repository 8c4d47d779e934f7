package child

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test's own executable play the server: its first argument says how it behaves.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[2] == "--url-file" {
		os.Exit(play(os.Args[1], os.Args[3]))
	}
	os.Exit(m.Run())
}

func play(part, urlFile string) int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	if _, set := os.LookupEnv("PENSTOCK_DATA"); set {
		fmt.Fprintln(os.Stderr, "PENSTOCK_DATA is set")
		return 8
	}
	if part == "fail" {
		fmt.Fprintln(os.Stderr, "no room at all")
		return 7
	}
	if part != "mute" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 1
		}
		if err := os.WriteFile(urlFile, fmt.Appendf(nil, "http://%s\n", l.Addr()), 0o600); err != nil {
			return 1
		}
	}
	for range term {
		if part == "serve" {
			return 0
		}
	}
	return 0
}

func start(t *testing.T, ctx context.Context, part string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Start(ctx, Options{Program: self, Args: []string{part}, Dir: t.TempDir()})
}

func TestStartFindsTheURLAndStopEndsInOrder(t *testing.T) {
	t.Setenv("PENSTOCK_DATA", "somewhere") // must not reach the server
	p, err := start(t, t.Context(), "serve")
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if now, peak, err := p.Resident(); err != nil || now <= 0 || peak < now {
		t.Errorf("resident %d, peak %d, %v", now, peak, err)
	}
	if err := p.Stop(time.Minute); err != nil {
		t.Fatal(err)
	}
}

func TestKillIsNotOrderly(t *testing.T) {
	p, err := start(t, t.Context(), "serve")
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	p.Kill() // a second one finds it gone
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("ended with %v", err)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://")); err == nil {
		t.Fatal("it still listens")
	}
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	p, err := start(t, t.Context(), "stubborn")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(50 * time.Millisecond); err == nil {
		t.Fatal("it ended in order")
	}
	<-p.Exited()
}

func TestStartSaysWhyThereIsNoServer(t *testing.T) {
	if _, err := start(t, t.Context(), "fail"); err == nil || !strings.Contains(err.Error(), "no room at all") {
		t.Errorf("a program that fails: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := start(t, ctx, "mute"); err == nil {
		t.Error("a program that never listens: no error")
	}
}
