package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"penstock"
	"penstock/client"
)

// program is one run of the command line: what it reads and writes, and the flags that all commands share.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer // data goes to the first, progress and log to the second
	env            func(string) (string, bool)

	url, token string
	format     string // of -o; "" is a table on a terminal and plain text elsewhere
	quiet, yes bool

	running bool // a command's own work has begun: errors before that are mistakes of usage
}

// The exit statuses.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitPartly      = 3
	exitUnreachable = 4
	exitNotFound    = 5
	exitInUse       = 6
	exitInterrupted = 130
)

// exitError ends the program with a status of its own. Without a cause nothing is printed.
type exitError struct {
	status int
	err    error
}

// Error returns the cause's text.
func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.err }

// usagef is a mistake in the arguments that only the command itself could see.
func usagef(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// exitStatus returns the status that err stands for.
func (p *program) exitStatus(ctx context.Context, err error) int {
	var e *exitError
	var end endError
	var known *penstock.Error
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &end):
		return exitFailed
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &e):
		return e.status
	case !p.running:
		return exitUsage
	case client.IsUnreachable(err):
		return exitUnreachable
	case errors.As(err, &known) && known.Reason == "in_use":
		return exitInUse
	case penstock.Is(err, penstock.NotFound) || errors.Is(err, fs.ErrNotExist):
		return exitNotFound
	}
	return exitFailed
}

// report prints an error and what may help.
func (p *program) report(status int, err error) {
	var e *exitError
	if errors.As(err, &e) && e.err == nil {
		return
	}
	if status == exitInterrupted {
		fmt.Fprintln(p.stderr, "penstock: interrupted")
		return
	}
	var known *penstock.Error
	text := err.Error()
	if errors.As(err, &known) {
		text = cause(err).Error()
	}
	if status == exitUnreachable {
		text = fmt.Sprintf("no answer from %s: %s\nIs a server running there? \"penstock dev\" starts one; --url or PENSTOCK_URL names another.", p.url, text)
	}
	if known != nil && known.Reason != "" && status != exitUnreachable {
		text += " (" + known.Reason + ")"
	}
	if status == exitUsage {
		text += "\nSee \"penstock help\"."
	}
	fmt.Fprintln(p.stderr, "penstock: "+text)
}

// formats are the values of -o.
var formats = [...]string{"table", "json", "ndjson", "csv"}

// begin checks the shared flags; it runs before every command.
func (p *program) begin(cmd *cobra.Command, _ []string) error {
	if p.format != "" && !slices.Contains(formats[:], p.format) {
		return usagef("-o %s is none of %s%s", p.format, strings.Join(formats[:], ", "), didYouMean(p.format, formats[:]))
	}
	if value, ok := p.env("PENSTOCK_URL"); ok && !cmd.Flags().Changed("url") {
		p.url = value
	}
	if value, ok := p.env("PENSTOCK_TOKEN"); ok && !cmd.Flags().Changed("token") {
		p.token = value
	}
	p.running = true
	if cmd.Flags().Changed("url") { // also where nothing but the load generator reads it
		_, err := p.client(client.Options{})
		return err
	}
	return nil
}

// client returns a client of the server that the flags name. An address that is none is a mistake of usage.
func (p *program) client(o client.Options) (*client.Client, error) {
	o.URL, o.Token = p.url, p.token
	c, err := client.New(o)
	if err != nil {
		return nil, usagef("the server's URL: %w", cause(err))
	}
	return c, nil
}

// isTerminal reports whether a person reads w.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// confirm asks before something that cannot be undone, unless --yes was given. Without a terminal the answer is no.
func (p *program) confirm(question string) error {
	if p.yes {
		return nil
	}
	if !isTerminal(p.stdin) {
		return usagef("%s: this needs --yes", question)
	}
	fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	var answer string
	_, _ = fmt.Fscanln(p.stdin, &answer) // nothing is no
	if a := strings.ToLower(answer); a != "y" && a != "yes" {
		return &exitError{exitFailed, errors.New("not done")}
	}
	return nil
}
