package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"penstock/internal/load/child"
)

// target is the server that a measurement talks to.
type target struct {
	url    string
	own    *child.Process // nil when the server is the user's
	remove func()
}

// stopPatience is how long a server of ours may take to end in order.
const stopPatience = 2 * time.Minute

// open returns the server that --url names, or starts one with the given roles in a directory of its own.
func (f *benchFlags) open(c *cobra.Command, roles string) (*target, error) {
	if f.url != "" {
		return &target{url: strings.TrimRight(f.url, "/"), remove: func() {}}, nil
	}
	dir, remove, err := f.workDir()
	if err != nil {
		return nil, err
	}
	p, err := f.serve(c, dir, roles)
	if err != nil {
		remove()
		return nil, err
	}
	return &target{url: p.URL, own: p, remove: remove}, nil
}

// serve starts this program as a server whose configuration and data lie in dir, and returns when it is ready.
func (f *benchFlags) serve(c *cobra.Command, dir, roles string) (*child.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "penstock.yaml"), []byte(f.config()), 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	o := child.Options{Program: self, Dir: dir, Args: []string{"serve", "-c", "penstock.yaml", "--roles", roles}}
	if f.fsyncDelay > 0 {
		o.Args = append(o.Args, "--fsync-delay", f.fsyncDelay.String())
	}
	if f.serverLog {
		o.Log = c.ErrOrStderr()
	}
	p, err := child.Start(c.Context(), o)
	if err != nil {
		return nil, err
	}
	if err := f.probe(p.URL).WaitReady(c.Context()); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// config is the file of a server of ours.
func (f *benchFlags) config() string {
	if f.ownConfig != "" {
		return f.ownConfig
	}
	text := "listen: 127.0.0.1:0\ndata: ./data\nlimits: {" + cmp.Or(f.limits, "batch: 100000, body: 64MiB") + "}\n"
	if f.wholeLog {
		text += "log: {url: \"disk:\", max: 1TiB}\n"
	}
	text += "streams:\n  " + f.stream + ": {}\n"
	if f.columns || f.queries > 0 {
		text = strings.TrimSuffix(text, " {}\n") + "\n    columns: {kind: text, country: text, amount: bigint, latency_ms: double, ok: boolean}\n"
	}
	return text + f.viewsConfig()
}

// close ends a server of ours in order and removes what it left.
func (t *target) close() error {
	defer t.remove()
	if t.own == nil {
		return nil
	}
	return t.own.Stop(stopPatience)
}

// failed returns an error when a server of ours has ended by itself.
func (t *target) failed() error {
	if t.own == nil {
		return nil
	}
	select {
	case <-t.own.Exited():
		return fmt.Errorf("the server ended by itself: %w", t.own.Err())
	default:
		return nil
	}
}
