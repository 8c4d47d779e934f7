// Command penstock is the whole engine in one binary: the server in its roles, and the commands that speak to one.
// It is the only place that joins the parts, and the only one that knows the configuration file.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"penstock/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv))
}

// commands make the subcommands, in the order in which help shows them.
var commands = [...]func(*program) *cobra.Command{
	newDevCommand,
	newServeCommand,
	newSendCommand,
	newTailCommand,
	newSQLCommand,
	newViewCommand,
	newLagCommand,
	newAuditCommand,
	newLettersCommand,
	newLogCommand,
	newConfigCommand,
	newBenchCommand,
	newProveCommand,
	newVersionCommand,
}

// run executes one command line and returns its exit status. It ends early, in order, when the context does.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) (string, bool)) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, env: env}
	root := newRootCommand(p)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	status := p.exitStatus(ctx, err)
	if err != nil {
		p.report(status, err)
	}
	return status
}

func newRootCommand(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "penstock",
		Short: "Takes a flood of writes and answers as soon as each is durable",
		Long: "Penstock takes a flood of writes: it answers as soon as a write is durable, processes it later in batches,\n" +
			"and spreads it over shards by a stable key. \"penstock dev\" starts a server with nothing else to install.",
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: p.begin,
	}
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	flags := root.PersistentFlags()
	flags.StringVar(&p.url, "url", client.DefaultURL, "address of the server (PENSTOCK_URL)")
	flags.StringVar(&p.token, "token", "", "token to send (PENSTOCK_TOKEN is safer: others can see flags)")
	flags.StringVarP(&p.format, "output", "o", "", "table, json, ndjson or csv")
	flags.BoolVarP(&p.quiet, "quiet", "q", false, "no progress, only errors")
	flags.BoolVarP(&p.yes, "yes", "y", false, "do not ask")
	for _, command := range commands {
		root.AddCommand(command(p))
	}
	return root
}
