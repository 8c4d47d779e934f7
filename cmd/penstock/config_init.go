package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"penstock"
	"penstock/client"
)

// configTemplate is a file that changes nothing and explains what could be changed.
//
//go:embed config_template.yaml
var configTemplate string

func newConfigInitCommand(p *program) *cobra.Command {
	var from string
	var declare bool
	cmd := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Writes a configuration file to begin with",
		Long: "Writes a file that explains the settings; with --from, one that names the streams and columns of a running server, as a\n" +
			"\"penstock dev\" is turned into a \"penstock serve\" on the same data directory. Of a stream without columns it shows, as\n" +
			"comments, those that its events could have; with --columns it declares them: the door then refuses events whose values\n" +
			"are of another type. FILE - is standard output. A file that is there is kept unless --yes is given.",
		Example: "  penstock config init\n  penstock config init --from http://127.0.0.1:7367 production.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := configTemplate
			if declare && from == "" {
				return usagef("--columns needs --from")
			}
			if from != "" {
				var err error
				p.url = from
				if text, err = p.describeServer(cmd.Context(), declare); err != nil {
					return err
				}
			}
			return p.writeConfig(fileOf(args), text)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "address of a running server to describe")
	cmd.Flags().BoolVar(&declare, "columns", false, "declare the columns that events have")
	return cmd
}

// writeConfig writes a new file that only its owner can read, since it may hold a secret.
func (p *program) writeConfig(file, text string) error {
	if file == "-" {
		_, err := fmt.Fprint(p.stdout, text)
		return err
	}
	if _, err := os.Lstat(file); err == nil {
		if err := p.confirm("overwrite " + file); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := replaceFile(file, text); err != nil {
		return err
	}
	if !p.quiet {
		fmt.Fprintln(p.stderr, "penstock: wrote "+file)
	}
	return nil
}

// replaceFile puts a text in the place of a file: readers see the old one or the new one.
func replaceFile(file, text string) error {
	next := file + ".new"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(next, file)
	}
	if err != nil {
		_ = os.Remove(next) // it is of no use to anyone
	}
	return err
}

// describeServer returns a file for what a running server has. What else its events could have as columns is declared, or a comment.
func (p *program) describeServer(ctx context.Context, declare bool) (string, error) {
	c, err := p.client(client.Options{})
	if err != nil {
		return "", err
	}
	defer c.Close()
	streams, err := c.Streams(ctx)
	if err != nil {
		return "", err
	}
	w := &yamlWriter{}
	w.line(0, "# Written by penstock config init --from "+p.url+".")
	w.line(0, "# The data directory stays where it is: name it here if that is not ./penstock-data.")
	w.line(0, "# data: ./penstock-data")
	cluster, err := c.Cluster(ctx)
	switch {
	case err == nil:
		w.line(0, "# The cluster's identity; partition_key is a secret.")
		w.line(0, "cluster:")
		w.pair(1, "id", cluster.ID)
		w.pair(1, "partition_key", cluster.PartitionKey)
		w.line(0, fmt.Sprintf("partitions: %d", cluster.Partitions))
	case penstock.Is(err, penstock.Forbidden) || penstock.Is(err, penstock.NotFound):
		fmt.Fprintf(p.stderr, "penstock: the cluster's identity is left out: %v\n", cause(err))
	default:
		return "", err
	}
	if len(streams) == 0 {
		w.line(0, "streams: {}")
		return w.String(), nil
	}
	w.line(0, "streams:")
	for _, info := range streams {
		s, err := described(info)
		if err != nil {
			return "", err
		}
		found, err := lookInto(ctx, c, s)
		if err != nil {
			fmt.Fprintf(p.stderr, "penstock: the events of %s cannot be looked at: %v\n", s.Name, cause(err))
		}
		if declare {
			s.Columns = append(s.Columns, found.columns...)
			found = seen{}
		}
		w.stream(s, found)
	}
	return w.String(), nil
}

// yamlWriter writes the few shapes of YAML that a described server needs.
type yamlWriter struct{ strings.Builder }

func (w *yamlWriter) line(depth int, text string) {
	w.WriteString(strings.Repeat("  ", depth) + text + "\n")
}

func (w *yamlWriter) pair(depth int, key, value string) {
	w.line(depth, yamlText(key)+": "+yamlText(value))
}

// stream writes what differs from the defaults, and as a comment the columns that could be.
func (w *yamlWriter) stream(s penstock.Stream, found seen) {
	body := &yamlWriter{}
	body.settings(s)
	body.columns("", s.Columns)
	if len(found.columns) > 0 {
		body.line(2, "# Members of "+grouped(found.events)+" events. As columns the door checks their types; in rows that are there they are NULL.")
		body.columns("#", found.columns)
	}
	if body.Len() == 0 {
		w.line(1, yamlText(s.Name)+": {}")
		return
	}
	w.line(1, yamlText(s.Name)+":")
	w.WriteString(body.String())
}

func (w *yamlWriter) settings(s penstock.Stream) {
	for _, f := range []struct{ key, value, usual string }{
		{"id_field", s.IDField, "id"}, {"key_field", s.KeyField, "key"}, {"time_field", s.TimeField, "time"},
		{"durability", string(s.Durability), string(penstock.DurabilityDisk)}, {"on_poison", poisonText(s.HaltKey), skipPoison},
	} {
		if f.value != f.usual && f.value != "" {
			w.pair(2, f.key, f.value)
		}
	}
	if s.KeepRows > 0 {
		w.line(2, "keep_rows: "+Duration(s.KeepRows).String())
	}
	if text := dedupText(s.Dedup); text != dedupText(streamOf("", defaultStream()).Dedup) {
		w.line(2, "dedup: "+text)
	}
}

// columns writes columns, each line behind a mark.
func (w *yamlWriter) columns(mark string, columns []penstock.Column) {
	if len(columns) > 0 {
		w.line(2, mark+"columns:")
	}
	for _, c := range columns {
		spec := yamlText(typeText(c))
		if c.Path != c.Name {
			spec = fmt.Sprintf("{type: %s, path: %s}", spec, yamlText(c.Path))
		}
		w.line(2, mark+"  "+yamlText(c.Name)+": "+spec)
	}
}

// plainYAML are texts that mean themselves without quotes.
var plainYAML = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// yamlText spells a text so that the reader of files takes it for itself.
func yamlText(text string) string {
	switch strings.ToLower(text) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
	default:
		if plainYAML.MatchString(text) {
			return text
		}
	}
	return "'" + strings.NewReplacer("'", "''", "${", "$${").Replace(text) + "'"
}
