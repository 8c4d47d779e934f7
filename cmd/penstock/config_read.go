package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// scanner is a setting that is spelled as a text with a unit.
type scanner interface{ scan(text string) error }

// shorthand is a mapping that may be spelled as one text.
type shorthand interface{ short(text string) error }

// reader turns the tree of a YAML file into a Config. The library's own strict decoding ends at the first unknown
// key; this walks the tree itself, so that one run reports every mistake, and notes the line of each setting.
type reader struct {
	config   *Config
	file     string
	expand   expander
	anchors  map[string]ast.Node
	mistakes mistakes
}

// readText sets what the text of a file says; name is what mistakes call the file.
func (c *Config) readText(name string, text []byte, env func(string) (string, bool)) mistakes {
	r := &reader{
		config: c, file: name, anchors: map[string]ast.Node{},
		expand: expander{env: env, files: &c.inserted},
	}
	r.read(text)
	return r.mistakes
}

// read parses text and sets what it names. Mistakes are noted; the config then holds what could be read.
func (r *reader) read(text []byte) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		r.syntax(err)
		return
	}
	if len(file.Docs) > 1 {
		r.note("", file.Docs[1].Body, "want one document")
		return
	}
	if len(file.Docs) == 1 && file.Docs[0].Body != nil {
		r.value("", file.Docs[0].Body, reflect.ValueOf(r.config).Elem())
	}
}

// syntax notes an error of the parser, which carries the token at which it happened.
func (r *reader) syntax(err error) {
	at, what := source{name: r.file, line: 1}, err.Error()
	var broken yaml.Error
	if errors.As(err, &broken) {
		what = broken.GetMessage()
		if t := broken.GetToken(); t != nil {
			at.line = t.Position.Line
		}
	}
	r.mistakes = append(r.mistakes, mistake{at, "", what})
}

func (r *reader) source(node ast.Node) source {
	return source{name: r.file, line: node.GetToken().Position.Line}
}

func (r *reader) note(path string, node ast.Node, format string, args ...any) {
	r.mistakes = append(r.mistakes, mistake{r.source(node), path, fmt.Sprintf(format, args...)})
}

// value sets v, which is addressable, to what node says.
func (r *reader) value(path string, node ast.Node, v reflect.Value) {
	switch n := node.(type) {
	case *ast.NullNode: // "key:" with nothing behind it leaves the default
		return
	case *ast.AnchorNode:
		r.value(path, n.Value, v)
		r.anchors[n.Name.GetToken().Value] = n.Value
		return
	case *ast.AliasNode:
		target, ok := r.anchors[n.Value.GetToken().Value]
		if !ok {
			r.note(path, node, "no anchor %q stands before this line", n.Value.GetToken().Value)
			return
		}
		r.value(path, target, v)
		return
	case *ast.TagNode:
		r.note(path, node, "tags such as %s are not read", n.Start.Value)
		return
	}
	r.config.sources[path] = r.source(node)
	if text, ok := scalarText(node); ok {
		r.scalar(path, node, v, text)
		return
	}
	if list, ok := v.Addr().Interface().(*MeasuresConfig); ok {
		r.measures(path, node, list)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		r.structure(path, node, v)
	case reflect.Map:
		r.mapping(path, node, v)
	case reflect.Slice:
		r.list(path, node, v)
	default:
		r.note(path, node, "want %s", kindName(v))
	}
}

// scalarText returns the text of a scalar as it was written.
func scalarText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, true
	}
	return "", false
}

func (r *reader) scalar(path string, node ast.Node, v reflect.Value, text string) {
	whole, err := r.expand.expand(text)
	if err != nil {
		r.note(path, node, "%v", err)
		return
	}
	if whole == text {
		r.config.literal[path] = true
	}
	if err := setScalar(v, whole); err != nil {
		r.note(path, node, "%v", err)
	}
}

// setScalar sets v to what text says, whether it comes from a file, a variable or a flag.
func setScalar(v reflect.Value, text string) error {
	if s, ok := v.Addr().Interface().(scanner); ok {
		return s.scan(text)
	}
	if s, ok := v.Addr().Interface().(shorthand); ok {
		return s.short(text)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		v.SetInt(int64(n))
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.String {
			return errShape("a list of mappings")
		}
		v.Set(reflect.ValueOf([]string{text}))
	default:
		return errShape(kindName(v))
	}
	return nil
}

func kindName(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Struct, reflect.Map:
		return "a mapping"
	case reflect.Slice:
		return "a list"
	case reflect.Int:
		return "a whole number"
	}
	return "one value"
}

// entry is a key of a mapping with its value.
type entry struct {
	key   string
	node  ast.Node // of the key: its line is what a mistake names
	value ast.Node
}

// entries returns the pairs of a mapping in the order of the file, or notes that node is none.
func (r *reader) entries(path string, node ast.Node) []entry {
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		r.note(path, node, "want a mapping")
	}
	all := make([]entry, len(pairs))
	for i, p := range pairs {
		key, ok := scalarText(p.Key)
		if !ok {
			key = p.Key.GetToken().Value
		}
		all[i] = entry{key, p.Key, p.Value}
	}
	return all
}

func (r *reader) structure(path string, node ast.Node, v reflect.Value) {
	fields := fieldsOf(v.Type())
	for _, e := range r.entries(path, node) {
		i := slices.IndexFunc(fields, func(f reflect.StructField) bool { return f.Tag.Get("yaml") == e.key })
		if i < 0 {
			r.note(path, e.node, "unknown key %q%s", e.key, didYouMean(e.key, keysOf(fields)))
			continue
		}
		at := join(path, e.key)
		if what := fields[i].Tag.Get("later"); what != "" {
			r.note(at, e.node, "%s: not built yet", what)
			continue
		}
		r.value(at, e.value, v.FieldByIndex(fields[i].Index))
	}
}

func (r *reader) mapping(path string, node ast.Node, v reflect.Value) {
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range r.entries(path, node) {
		item := reflect.New(v.Type().Elem()).Elem()
		item.Set(usualItem(item.Type()))
		at := join(path, e.key)
		r.value(at, e.value, item)
		r.config.sources[at] = r.source(e.node)
		v.SetMapIndex(reflect.ValueOf(e.key), item)
	}
}

// measures reads a mapping whose order counts.
func (r *reader) measures(path string, node ast.Node, list *MeasuresConfig) {
	*list = nil
	for _, e := range r.entries(path, node) {
		m := MeasureConfig{Name: e.key}
		at := join(path, e.key)
		r.value(at, e.value, reflect.ValueOf(&m.Text).Elem())
		r.config.sources[at] = r.source(e.node)
		*list = append(*list, m)
	}
}

func (r *reader) list(path string, node ast.Node, v reflect.Value) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		r.note(path, node, "want a list")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(sequence.Values), len(sequence.Values)))
	for i, n := range sequence.Values {
		r.value(fmt.Sprintf("%s[%d]", path, i), n, v.Index(i))
	}
}

// fieldsOf returns the fields of a type that files can name.
func fieldsOf(t reflect.Type) []reflect.StructField {
	var fields []reflect.StructField
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("yaml") != "" {
			fields = append(fields, f)
		}
	}
	return fields
}

func keysOf(fields []reflect.StructField) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.Tag.Get("yaml")
	}
	return keys
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
