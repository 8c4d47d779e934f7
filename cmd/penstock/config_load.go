package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"penstock"
)

// settings says where a configuration comes from besides the defaults, the weakest first.
type settings struct {
	file     string                      // "" reads none
	optional bool                        // a file that is not there counts as empty
	env      func(string) (string, bool) // nil: none. PENSTOCK_LOG_KEEP sets log.keep
	flags    map[string]string           // the path of a setting, such as listen or log.url, to its value
}

// loadConfig returns the configuration in force: flags before environment before file before defaults. It fails with
// Invalid and every mistake at once, a line each with the file's line; with NotFound if the file is not there.
func loadConfig(s settings) (*Config, error) {
	if s.env == nil {
		s.env = func(string) (string, bool) { return "", false }
	}
	c := defaultConfig()
	wrong, err := c.readFile(s)
	if err != nil {
		return nil, err
	}
	wrong = append(wrong, c.readEnv(s.env)...)
	wrong = append(wrong, c.readFlags(s.flags)...)
	wrong = append(wrong, c.Validate(wrong)...)
	if err := wrong.err(); err != nil {
		return nil, penstock.Wrap(penstock.Invalid, "read configuration", err)
	}
	return c, nil
}

func (c *Config) readFile(s settings) (mistakes, error) {
	if s.file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(s.file)
	info, statErr := os.Stat(s.file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.optional:
		return nil, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, penstock.Wrap(penstock.NotFound, "read configuration", err)
	case errors.Join(err, statErr) != nil:
		return nil, penstock.Wrap(penstock.Invalid, "read configuration", errors.Join(err, statErr))
	}
	c.file = s.file
	c.mode = info.Mode()
	return c.readText(filepath.Base(s.file), text, s.env), nil
}

// readEnv sets every setting that has a variable: its path in capitals, with _ for the dots, behind PENSTOCK_.
// A list is separated by spaces. Streams, views and tokens have no variables; other PENSTOCK_ variables are not ours to judge,
// since supervisors set some of their own.
func (c *Config) readEnv(env func(string) (string, bool)) mistakes {
	var wrong mistakes
	for path, v := range c.leaves() {
		name := variableOf(path)
		if text, ok := env(name); ok {
			wrong = append(wrong, c.set(path, v, text, source{name: name})...)
		}
	}
	return wrong
}

func variableOf(path string) string {
	return "PENSTOCK_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

func (c *Config) readFlags(flags map[string]string) mistakes {
	var wrong mistakes
	leaves := c.leaves()
	for path, text := range flags {
		from := source{name: "--" + path}
		v, ok := leaves[path]
		if !ok {
			wrong = append(wrong, mistake{from, path, "no such setting"})
			continue
		}
		wrong = append(wrong, c.set(path, v, text, from)...)
	}
	return wrong
}

func (c *Config) set(path string, v reflect.Value, text string, from source) mistakes {
	for known := range c.sources { // the items of a list that is replaced
		if strings.HasPrefix(known, path+"[") {
			delete(c.sources, known)
		}
	}
	c.sources[path] = from
	if v.Kind() == reflect.Slice {
		v.Set(reflect.ValueOf(strings.Fields(text)))
		return nil
	}
	if err := setScalar(v, text); err != nil {
		return mistakes{{from, path, err.Error()}}
	}
	return nil
}

// leaves returns the settings outside of streams, views and tokens, by path.
func (c *Config) leaves() map[string]reflect.Value {
	all := map[string]reflect.Value{}
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		for _, f := range fieldsOf(v.Type()) {
			field, at := v.FieldByIndex(f.Index), join(path, f.Tag.Get("yaml"))
			switch {
			case f.Tag.Get("later") != "" || field.Kind() == reflect.Map:
			case field.Kind() == reflect.Slice && field.Type().Elem().Kind() != reflect.String:
			case field.Kind() == reflect.Struct:
				walk(at, field)
			default:
				all[at] = field
			}
		}
	}
	walk("", reflect.ValueOf(c).Elem())
	return all
}

// source returns where the setting at path, or the nearest one around it, came from.
func (c *Config) source(path string) source {
	for {
		if s, ok := c.sources[path]; ok {
			return s
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return source{}
		}
		path = path[:cut]
	}
}
