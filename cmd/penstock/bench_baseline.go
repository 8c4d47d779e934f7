package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"penstock/internal/load/child"
)

// baselineAnswer has the length of a real answer to a batch, so that both servers write as much.
const baselineAnswer = `{"accepted":-,"rejected_count":0,"rejected":[],"durability":"none","receipt":"` +
	`0000000000000000000000000000000000000000000000000000000000000000"}` + "\n"

// newBaselineCommand returns the hidden command that serves the handler which accept --baseline compares with: net/http
// with the server's own timeouts, and nothing but reading the body.
func newBaselineCommand() *cobra.Command {
	var urlFile string
	c := &cobra.Command{
		Use: "bare-handler", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return serveBaseline(c, urlFile) },
	}
	c.Flags().StringVar(&urlFile, "url-file", "", "file to write the URL to")
	return c
}

func serveBaseline(c *cobra.Command, urlFile string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := os.WriteFile(urlFile, fmt.Appendf(nil, "http://%s\n", l.Addr()), 0o600); err != nil {
		return err
	}
	s := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return // the client has gone
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusAccepted)
			// An error means that the client has gone.
			_, _ = io.WriteString(w, baselineAnswer)
		}),
	}
	go func() {
		<-c.Context().Done()
		s.Close()
	}()
	if err := s.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// startBaseline runs the bare handler in a process of its own.
func startBaseline(c *cobra.Command, f *benchFlags) (*child.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	dir, remove, err := f.workDir()
	if err != nil {
		return nil, err
	}
	defer remove()
	return child.Start(c.Context(), child.Options{Program: self, Dir: dir, Args: []string{"bench", "bare-handler"}})
}
