package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"penstock/client"
)

// devFile is the configuration that dev reads if it is there.
const devFile = "penstock.yaml"

// watchInterval is how often dev looks whether the file was saved.
const watchInterval = 250 * time.Millisecond

func newDevCommand(p *program) *cobra.Command {
	l := &launch{}
	var data, listen string
	var memory, demo bool
	c := &cobra.Command{
		Use:   "dev",
		Short: "Runs a server for trying out: streams are made by their first use",
		Long: "Runs a server with everything embedded and nothing to configure. A stream is made by its first event. If there is a\n" +
			"penstock.yaml in this directory it is read, and applied again whenever it is saved.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l.settings.flags = map[string]string{}
			if data != "" {
				l.settings.flags["data"] = data
			}
			if listen != "" {
				l.settings.flags["listen"] = listen
			}
			if memory {
				l.settings.flags["log.url"] = "memory:"
			}
			l.started = func(ctx context.Context, s *server) { welcome(ctx, p.stdout, s, demo) }
			l.check = func(c *Config) error { return checkDemo(c, demo) }
			return p.dev(c.Context(), l)
		},
	}
	flags := c.Flags()
	flags.StringVar(&data, "data", "", "directory for everything (default ./penstock-data)")
	flags.StringVar(&listen, "listen", "", "address to listen on (default 127.0.0.1:7367)")
	flags.BoolVar(&memory, "memory", false, "keep nothing: events and rows go with the process, answers say \"durable\":false")
	flags.BoolVar(&demo, "demo", false, "send a small live traffic, half of it on one key")
	l.flags(c)
	return c
}

func (p *program) dev(ctx context.Context, l *launch) error {
	l.settings.file, l.settings.optional = devFile, true
	l.engine.roles, l.engine.auto = allRoles(), true
	l.watch = newFileWatch(devFile)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal was closed
	defer stop()
	return p.serve(ctx, l)
}

// welcome says what to do next, and sends the demonstration's traffic if it is wanted.
func welcome(ctx context.Context, w io.Writer, s *server, demo bool) {
	printWelcome(w, greeting{
		program: os.Args[0], url: s.URL(), data: s.config.Data, durable: !s.inMemory(), tokens: len(s.config.Tokens) > 0,
	})
	if demo {
		sendDemo(ctx, s.URL(), demoToken(s.config))
	}
}

// greeting is what dev says when it is ready.
type greeting struct {
	program, url, data string
	durable, tokens    bool
}

func printWelcome(w io.Writer, g greeting) {
	where, err := filepath.Abs(g.data)
	if err != nil {
		where = g.data
	}
	if !g.durable {
		where = "in memory, gone when this ends"
	}
	flags, header := "", ""
	if g.url != client.DefaultURL {
		flags = " --url " + g.url
	}
	if g.tokens {
		header = ` -H "Authorization: Bearer $PENSTOCK_TOKEN"`
	}
	fmt.Fprintf(w, "\nPenstock is ready.\n\n  data  %s\n  URL   %s\n\nTry, in another terminal:\n\n", where, g.url)
	fmt.Fprintf(w, "  curl %s/v1/streams/clicks/events%s -d '{\"key\":\"home\",\"ms\":12}'\n", g.url, header)
	fmt.Fprintf(w, "  %s sql%s \"select key, count(*) from clicks group by key\"\n", g.program, flags)
	fmt.Fprintf(w, "  %s tail%s clicks\n\n", g.program, flags)
}
