package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func newConfigShowCommand(p *program) *cobra.Command {
	var origin bool
	cmd := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Shows the settings in force",
		Long: "Shows the settings that serve would have with FILE, or with the defaults if there is none, a line each. Secrets are\n" +
			"not shown. With --origin it says where each value came from.",
		Example: "  penstock config show --origin\n  PENSTOCK_LOG_KEEP=7d penstock config show --origin -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := loadConfig(settings{file: fileOf(args), optional: len(args) == 0, env: p.env})
			if err != nil {
				return err
			}
			return p.printSettings(c.shownSettings(), origin)
		},
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "also where each value came from")
	return cmd
}

// shownSetting is a setting in force.
type shownSetting struct {
	Setting string `json:"setting"`
	Value   string `json:"value"`
	Origin  string `json:"origin"` // default, file:line or a variable
}

func (p *program) printSettings(all []shownSetting, origin bool) error {
	switch p.format {
	case "json":
		return p.printJSON(all)
	case "ndjson":
		for _, s := range all {
			if err := p.printJSON(s); err != nil {
				return err
			}
		}
		return nil
	}
	t := &table{columns: []string{"setting", "value"}}
	if origin {
		t.columns = append(t.columns, "origin")
	}
	for _, s := range all {
		row := []string{s.Setting, s.Value, s.Origin}
		t.rows = append(t.rows, row[:len(t.columns)])
	}
	return p.printTable(t)
}

// shownSettings returns every setting that is built, in the order of the type.
func (c *Config) shownSettings() []shownSetting {
	w := settingWalk{config: c}
	w.structure("", reflect.ValueOf(c).Elem(), reflect.ValueOf(defaultConfig()).Elem())
	return w.all
}

type settingWalk struct {
	config *Config
	all    []shownSetting
}

// structure adds the settings of a mapping; usual has their defaults.
func (w *settingWalk) structure(path string, v, usual reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		if f.Tag.Get("later") != "" {
			continue
		}
		at, field, def := join(path, f.Tag.Get("yaml")), v.FieldByIndex(f.Index), usual.FieldByIndex(f.Index)
		switch {
		case field.Kind() == reflect.Map:
			w.mapping(at, field)
		case field.Kind() == reflect.Struct:
			if text, ok := shorthandOf(field); ok {
				w.all = append(w.all, shownSetting{at, text, w.config.source(at).String()})
				continue
			}
			w.structure(at, field, def)
		case field.Type() == reflect.TypeFor[MeasuresConfig]():
			for _, m := range field.Interface().(MeasuresConfig) {
				w.all = append(w.all, shownSetting{join(at, m.Name), m.Text, w.config.source(join(at, m.Name)).String()})
			}
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			for i := range field.Len() {
				w.structure(fmt.Sprintf("%s[%d]", at, i), field.Index(i), reflect.Zero(field.Type().Elem()))
			}
		default:
			w.leaf(at, field, def)
			if f.Tag.Get("secret") != "" && field.String() != "" {
				w.all[len(w.all)-1].Value = "(secret)"
			}
		}
	}
}

// shorthandOf returns the one text that a mapping is spelled as, if there is one for what it holds.
func shorthandOf(v reflect.Value) (string, bool) {
	s, ok := v.Interface().(interface{ shorthand() (string, bool) })
	if !ok {
		return "", false
	}
	return s.shorthand()
}

// mapping adds the entries of streams, columns and views in the order of their names.
func (w *settingWalk) mapping(path string, v reflect.Value) {
	names := make([]string, 0, v.Len())
	for _, key := range v.MapKeys() {
		names = append(names, key.String())
	}
	slices.Sort(names)
	for _, name := range names {
		w.structure(join(path, name), v.MapIndex(reflect.ValueOf(name)), usualItem(v.Type().Elem()))
	}
}

func (w *settingWalk) leaf(path string, v, usual reflect.Value) {
	text := valueText(v)
	w.all = append(w.all, shownSetting{path, text, w.config.origin(path, text == valueText(usual))})
}

// origin returns where a value came from. A mapping may stand in a file without naming all that it holds: a default that
// it does not name is a default, and another value is the short form of the mapping.
func (c *Config) origin(path string, usual bool) string {
	if s, ok := c.sources[path]; ok {
		return s.String()
	}
	if usual {
		return source{}.String()
	}
	return c.source(path).String()
}

// valueText spells a value as files do.
func valueText(v reflect.Value) string {
	if v.Kind() == reflect.Slice {
		items := make([]string, v.Len())
		for i := range items {
			items[i] = fmt.Sprint(v.Index(i).Interface())
		}
		return strings.Join(items, " ")
	}
	return fmt.Sprint(v.Interface())
}

func quoteEmpty(text string) string {
	if text == "" {
		return `""`
	}
	return text
}
