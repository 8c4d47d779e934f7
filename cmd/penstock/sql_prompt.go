package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"penstock/client"
)

// asker is what a prompt asks, and how.
type asker struct {
	client *client.Client
	query  client.Query // all but the statement
}

// promptAt runs a prompt at a terminal, which it puts into raw mode and back.
func (p *program) promptAt(ctx context.Context, in *os.File, a asker) error {
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return err
	}
	defer func() { _ = term.Restore(int(in.Fd()), before) }() // nothing is left to do about it
	width, height, err := term.GetSize(int(in.Fd()))
	if err != nil {
		width, height = 80, 24
	}
	return newPrompt(p, a, promptScreen{in: in, out: p.stdout, width: width, height: height}).run(ctx)
}

// promptScreen is where a prompt reads keys and writes.
type promptScreen struct {
	in            io.Reader
	out           io.Writer
	width, height int
}

// prompt reads statements, which end with a semicolon, and commands, which begin with a backslash.
type prompt struct {
	asker
	format   string
	keys     *keyboard
	terminal *term.Terminal
	history  *history
	width    int
	pending  string // what was typed of a statement
}

const (
	firstPrompt = "penstock> "
	nextPrompt  = "     ...> "
)

const promptHelp = `A statement ends with ; and may span lines.
  \d          the streams
  \d STREAM   the columns of a stream
  \q          the end, as Ctrl-D
  \?          this help
Ctrl-C cancels a query that runs, or what was typed. The tables penstock.lag, penstock.streams and penstock.shards
tell about the server itself.
`

func newPrompt(p *program, a asker, s promptScreen) *prompt {
	r := &prompt{asker: a, format: p.format, keys: newKeyboard(s.in), history: openHistory(p.env), width: s.width}
	r.terminal = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{r.keys, s.out}, firstPrompt)
	r.terminal.History = r.history
	_ = r.terminal.SetSize(s.width, s.height) // it redraws, and there is nothing yet
	return r
}

// run reads and answers until the end of the keys or \q.
func (r *prompt) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go r.keys.pump(ctx)
	fmt.Fprintf(r.terminal, "%s  (\\? for help, \\q to leave)\n", r.client.URL())
	for {
		line, err := r.terminal.ReadLine()
		if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
			if errors.Is(err, io.EOF) {
				return ctx.Err()
			}
			return err
		}
		if r.keys.interrupted() {
			r.pending = ""
			r.terminal.SetPrompt(firstPrompt)
			continue
		}
		if r.enter(ctx, line) {
			return nil
		}
		r.terminal.SetPrompt(firstPrompt)
		if r.pending != "" {
			r.terminal.SetPrompt(nextPrompt)
		}
	}
}

// enter takes a line and runs what it completes. It reports whether the prompt is to end.
func (r *prompt) enter(ctx context.Context, line string) (end bool) {
	if word := strings.TrimSpace(line); r.pending == "" && (strings.HasPrefix(word, `\`) || word == "quit" || word == "exit") {
		r.history.remember(word)
		return r.command(ctx, word)
	}
	text := line
	if r.pending != "" {
		text = r.pending + "\n" + line
	}
	for {
		end := statementEnd(text)
		if end < 0 {
			break
		}
		statement := bareStatement(text[:end])
		text = text[end+1:]
		if statement != "" {
			r.history.remember(statement + ";")
			r.ask(ctx, statement)
		}
	}
	if r.pending = text; strings.TrimSpace(text) == "" {
		r.pending = ""
	}
	return false
}

// ask runs a statement. Ctrl-C cancels it and nothing else.
func (r *prompt) ask(ctx context.Context, statement string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := r.keys.onInterrupt(cancel)
	defer stop()
	q := r.query
	q.SQL = statement
	a := &resultWriter{format: r.format, out: r.terminal, notes: r.terminal, person: true, width: r.width}
	err := a.write(ctx, r.client, q)
	if ctx.Err() != nil {
		err = errors.New("cancelled")
	}
	if err != nil {
		r.complain(err)
	}
}

func (r *prompt) complain(err error) { fmt.Fprintf(r.terminal, "error: %s\n", cause(err)) }

// command runs a command of the prompt.
func (r *prompt) command(ctx context.Context, line string) (end bool) {
	word, argument, _ := strings.Cut(line, " ")
	switch word {
	case `\q`, "quit", "exit":
		return true
	case `\?`, `\h`, `\help`:
		fmt.Fprint(r.terminal, promptHelp)
	case `\d`:
		if err := r.describe(ctx, strings.Trim(argument, "; ")); err != nil {
			r.complain(err)
		}
	default:
		fmt.Fprintf(r.terminal, "%s is not a command; \\? lists them\n", shown(word))
	}
	return false
}

// describe shows the streams, or the columns of one.
func (r *prompt) describe(ctx context.Context, stream string) error {
	infos, err := r.client.Streams(ctx)
	if err != nil {
		return err
	}
	all := &table{columns: []string{"stream", "id", "key", "time", "columns"}}
	for _, info := range infos {
		if info.Name == stream {
			return describeStream(info).writeLines(r.terminal, r.width)
		}
		all.add(info.Name, info.IDField, info.KeyField, info.TimeField, len(info.Columns))
	}
	if stream != "" {
		return fmt.Errorf("there is no stream %s", stream)
	}
	return all.writeLines(r.terminal, r.width)
}

// describeStream lists the columns of a stream's table.
func describeStream(info client.StreamInfo) *table {
	t := &table{columns: []string{"column", "type", "from"}}
	t.add("id", "text", info.IDField)
	t.add("key", "text", info.KeyField)
	t.add("time", "timestamp", info.TimeField)
	t.add("received_at", "timestamp", "")
	t.add("data", "json", "the event")
	for _, c := range info.Columns {
		t.add(c.Name, typeText(c), c.Path)
	}
	return t
}
