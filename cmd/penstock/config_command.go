package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"penstock"
)

// usualConfig is the configuration file that commands read, or write, when none is named.
const usualConfig = "penstock.yaml"

func newConfigCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config init|validate|plan|show|schema",
		Short: "Writes, checks and explains configuration files",
		Long: "Writes, checks and explains configuration files. Where no FILE is named it is " + usualConfig + ". Settings come from, the\n" +
			"strongest first: flags of serve, variables such as PENSTOCK_LOG_KEEP, the file, the defaults.",
	}
	cmd.AddCommand(newConfigInitCommand(p), newConfigValidateCommand(p), newConfigPlanCommand(p), newConfigShowCommand(p), newConfigSchemaCommand(p))
	return cmd
}

// fileOf returns the file that the arguments name.
func fileOf(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	return usualConfig
}

func newConfigValidateCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Checks a file and names every mistake with its line",
		Long: "Checks a file as serve would read it, the environment included, and names every mistake with its line. Exit status 1\n" +
			"if there are some.",
		Example: "  penstock config validate penstock.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := loadConfig(settings{file: fileOf(args), env: p.env})
			return p.printValidated(fileOf(args), c, err)
		},
	}
}

// foundMistake is a mistake as -o json has it.
type foundMistake struct {
	Source  string `json:"source"` // file:line, a variable or a flag
	Setting string `json:"setting"`
	Message string `json:"message"`
}

// printValidated says whether a file is good. Mistakes remain the error; as JSON they are data too.
func (p *program) printValidated(file string, c *Config, err error) error {
	var wrong mistakes
	if err != nil && !errors.As(err, &wrong) {
		return err
	}
	warnings := []string{}
	if c != nil {
		warnings = append(warnings, c.warnings()...)
	}
	if p.wantsJSON() {
		found := []foundMistake{}
		for _, m := range wrong.sorted() {
			found = append(found, foundMistake{m.source.String(), m.path, m.what})
		}
		printErr := p.printJSON(struct {
			Valid    bool           `json:"valid"`
			Mistakes []foundMistake `json:"mistakes"`
			Warnings []string       `json:"warnings"`
		}{err == nil, found, warnings})
		if err != nil {
			return &exitError{status: exitFailed}
		}
		return printErr
	}
	if err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprintln(p.stderr, "warning: "+w)
	}
	views := ""
	if len(c.Views) > 0 {
		views = fmt.Sprintf("views: %d, ", len(c.Views))
	}
	_, err = fmt.Fprintf(p.stdout, "%s is valid (streams: %d, %stokens: %d)\n", file, len(c.Streams), views, len(c.Tokens))
	return err
}

// typeText spells a column's type as files do.
func typeText(c penstock.Column) string {
	if c.Type == penstock.Decimal {
		return fmt.Sprintf("decimal(%d,%d)", c.Precision, c.Scale)
	}
	return string(c.Type)
}
