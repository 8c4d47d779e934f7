// Package exampletest runs examples: it starts the penstock program with an example's configuration in a directory of its own, sends what
// the example makes over HTTP, waits by receipt, and holds what views answer against what the example expects.
package exampletest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"penstock"
	"penstock/client"
	"penstock/internal/load/child"
)

// Server is a running server of one example, and what was sent to it. It is used by one goroutine.
type Server struct {
	Program string // the penstock executable
	URL     string
	Client  *client.Client

	began time.Time
	view  string           // one of those that it has
	sent  map[string]*sent // by stream
	asOf  []string         // what answers have to contain: a receipt, or the as_of of an answer
}

// Main is the program of the example below examples/NAME: it calls play with a server, and ends with status 1 if that fails or the server did
// not keep what it was sent. Flags that are defined before are read too.
func Main(name string, play func(ctx context.Context, s *Server) error) {
	program := flag.String("program", "bin/penstock", "the penstock program")
	config := flag.String("config", filepath.Join("examples", name, "penstock.yaml"), "the server's configuration")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fmt.Println("example", name)
	if err := run(ctx, &Server{Program: *program}, *config, play); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s *Server, config string, play func(context.Context, *Server) error) error {
	s.began, s.sent = time.Now(), map[string]*sent{}
	dir, err := os.MkdirTemp("", "penstock-example-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	process, err := start(ctx, s.Program, config, dir)
	if err != nil {
		return err
	}
	defer process.Kill()
	s.URL = process.URL
	if s.Client, err = client.New(client.Options{URL: s.URL}); err != nil {
		return err
	}
	defer s.Client.Close()
	if err := s.awaitViews(ctx); err != nil {
		return err
	}
	s.Step("server at %s", s.URL)
	if err := play(ctx, s); err != nil {
		return err
	}
	if err := s.kept(ctx); err != nil {
		return err
	}
	if err := process.Stop(time.Minute); err != nil {
		return err
	}
	s.Step("all answers are right")
	return nil
}

func start(ctx context.Context, program, config, dir string) (*child.Process, error) {
	text, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "penstock.yaml"), text, 0o600); err != nil {
		return nil, err
	}
	if program, err = filepath.Abs(program); err != nil {
		return nil, err
	}
	return child.Start(ctx, child.Options{Program: program, Dir: dir, Args: []string{"serve", "-c", "penstock.yaml"}})
}

// awaitViews returns when the configuration's views answer.
func (s *Server) awaitViews(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		views, err := s.Client.Views(ctx)
		if err != nil {
			return err
		}
		if len(views) == 0 {
			return fmt.Errorf("the server has no views")
		}
		s.view = views[0].Name
		ready := 0
		for _, v := range views {
			if v.State == penstock.ViewReady {
				ready++
			}
		}
		if ready == len(views) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d views are ready: %w", ready, len(views), ctx.Err())
		}
	}
}

// Step says how far the example is.
func (s *Server) Step(format string, args ...any) {
	fmt.Printf("%6.1f s  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}
