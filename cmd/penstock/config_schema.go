package main

import (
	_ "embed"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
	"github.com/spf13/cobra"
)

// configSource has the comments of the settings, which are their descriptions.
//
//go:embed config.go
var configSource string

func newConfigSchemaCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Prints a JSON Schema of the file, for editors",
		Long: "Prints a JSON Schema of the file (draft 2020-12), with which editors complete and check it. It allows what a file may\n" +
			"say at all; \"config validate\" also judges what the values mean together.",
		Example: "  penstock config schema > penstock.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			schema, err := configSchema()
			if err != nil {
				return err
			}
			to := json.NewEncoder(p.stdout)
			to.SetIndent("", "  ")
			to.SetEscapeHTML(false)
			return to.Encode(schema)
		},
	}
}

// configSchema returns the schema of Config.
func configSchema() (*jsonschema.Schema, error) {
	comments, err := fieldComments(configSource)
	if err != nil {
		return nil, err
	}
	r := jsonschema.Reflector{
		FieldNameTag: "yaml", Anonymous: true, ExpandedStruct: true, RequiredFromJSONSchemaTags: true, Mapper: scalarSchema,
		LookupComment: func(t reflect.Type, field string) string {
			return comments[strings.TrimSuffix(t.Name()+"."+field, ".")]
		},
	}
	schema := r.Reflect(&Config{})
	schema.Title = usualConfig
	usual := reflect.ValueOf(*defaultConfig())
	shapeProperties(schema, usual)
	shapeNested(schema.Definitions, usual)
	return schema, nil
}

// shapeNested shapes the definitions of the mappings within a mapping; usual has its defaults. A mapping may be empty,
// which leaves the defaults, and some may be spelled as one text.
func shapeNested(defs jsonschema.Definitions, usual reflect.Value) {
	for _, f := range fieldsOf(usual.Type()) {
		v, t := usual.FieldByIndex(f.Index), f.Type
		if t.Kind() == reflect.Map || t.Kind() == reflect.Slice {
			t = t.Elem()
			v = usualItem(t)
		}
		def := defs[t.Name()]
		if t.Kind() != reflect.Struct || def == nil {
			continue
		}
		shapeProperties(def, v)
		shapeNested(defs, v)
		forms := []*jsonschema.Schema{{Type: "null"}}
		if short := shortForm(t); short != nil {
			forms = append(forms, short)
		}
		if whole := *def; whole.Properties.Len() > 0 {
			whole.Description = ""
			forms = append(forms, &whole)
		}
		*def = jsonschema.Schema{Description: def.Description, AnyOf: forms}
	}
}

// shapeProperties takes out of a mapping what is not built, and adds the defaults, and the rule for the names of streams,
// columns and views.
func shapeProperties(schema *jsonschema.Schema, usual reflect.Value) {
	for _, f := range fieldsOf(usual.Type()) {
		name, v := f.Tag.Get("yaml"), usual.FieldByIndex(f.Index)
		property, ok := schema.Properties.Get(name)
		if !ok {
			continue
		}
		if f.Tag.Get("later") != "" {
			schema.Properties.Delete(name)
			continue
		}
		switch v.Kind() {
		case reflect.Map:
			whole := *property
			whole.Description = ""
			whole.PropertyNames = &jsonschema.Schema{Pattern: columnName.String()}
			*property = jsonschema.Schema{Description: property.Description, AnyOf: []*jsonschema.Schema{{Type: "null"}, &whole}}
		case reflect.Struct:
		default:
			if text := valueText(v); text != "" && !v.IsZero() {
				property.Default = text
			}
		}
	}
}

// shortForm returns the text that may stand for a whole mapping, or nil.
func shortForm(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[DedupConfig]():
		return &jsonschema.Schema{Const: "off"}
	case reflect.TypeFor[LogConfig](), reflect.TypeFor[ColumnConfig]():
		return &jsonschema.Schema{Type: "string"}
	}
	return nil
}

// inserted is what a text with ${…} looks like, which may stand for any value.
const inserted = `\$\{.*\}`

// scalarSchema returns the schemas of values that are spelled with a unit, and of those that may also be a list.
func scalarSchema(t reflect.Type) *jsonschema.Schema {
	text := func(pattern string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Pattern: "^(" + pattern + ")$|" + inserted}
	}
	either := func(a, b *jsonschema.Schema) *jsonschema.Schema {
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{a, b}}
	}
	number := &jsonschema.Schema{Type: "integer", Minimum: "0"}
	switch t {
	case reflect.TypeFor[Duration]():
		return text(`([0-9]+d)?([0-9.]+(h|m|s|ms|us|µs|ns))*`)
	case reflect.TypeFor[Size]():
		return either(number, text(`[0-9.]+ *([KMGT]i?)?B?`))
	case reflect.TypeFor[Count]():
		return either(number, text(`[0-9.]+ *[KMG]?`))
	case reflect.TypeFor[int]():
		return either(number, text(`[0-9]+`))
	case reflect.TypeFor[MeasuresConfig]():
		return &jsonschema.Schema{
			Type: "object", PropertyNames: &jsonschema.Schema{Pattern: columnName.String()}, AdditionalProperties: text(` *[A-Za-z]+ *(\(.*\))? *`),
		}
	case reflect.TypeFor[[]string]():
		item := &jsonschema.Schema{Type: "string"}
		return either(item, &jsonschema.Schema{Type: "array", Items: item})
	}
	return nil
}

// fieldComments returns the comments of a file's types, by name, and of their fields, by "Type.Field".
func fieldComments(source string) (map[string]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	comments := map[string]string{}
	for _, d := range file.Decls {
		types, ok := d.(*ast.GenDecl)
		if !ok || types.Tok != token.TYPE {
			continue
		}
		for _, spec := range types.Specs {
			t := spec.(*ast.TypeSpec)
			comments[t.Name.Name] = oneLine(types.Doc)
			fields, ok := t.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range fields.Fields.List {
				for _, name := range f.Names {
					comments[t.Name.Name+"."+name.Name] = oneLine(f.Doc)
				}
			}
		}
	}
	return comments, nil
}

// oneLine returns a comment without its line ends.
func oneLine(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }
