package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compiledSchema returns the schema that `config schema` prints.
func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	o := offlineCommand(t, "config", "schema")
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(o.stdout))
	if err != nil || o.status != exitDone {
		t.Fatalf("%+v: %v", o, err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("penstock.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("penstock.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// asJSON returns a YAML text as the schema's validator wants values.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

func TestSchemaAcceptsWhatTheReaderDoes(t *testing.T) {
	schema := compiledSchema(t)
	for _, text := range []string{
		strings.ReplaceAll(wholeFile, "000102030405060708090A0B0C0D0E0F", `"000102030405060708090A0B0C0D0E0F"`),
		"{}",
		"streams:\n  clicks:\nlimits:\nlog: \"disk:\"\nstore: duckdb:a",
		"store: [duckdb:a, duckdb:b]\npartitions: ${N}\nlog: {keep: 1d12h, max: \"${MAX:1GiB}\"}",
		"limits: {body: 8 MiB, event: 1.5KiB, batch: \"10\", in_flight: 8388608}",
		"tls: {cert: a, key: b}\nstreams: {a: {columns: {b: \"decimal(1,1)\", c: {type: text}}, dedup: off, on_poison: halt_key}, b: {dedup: {window: 24h}}, c: {dedup: {window: 1s, max_ids: 10G}}}",
		viewsFile,
		"views: {a: {stream: b, measures: {n: \"${N}\"}, group: link}}",
		"views:",
		exampleOfTemplate(),
	} {
		if err := schema.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	schema := compiledSchema(t)
	for _, text := range []string{
		"strems: {}", "log: {kep: 1h}", "streams: {a: {colums: {}}}", "streams: {a: {columns: {b: {typ: text}}}}", "limits: {bodies: 1}",
		"tokens: [{name: a, scopes: [read]}]", "tls: {ca: x}", "cluster: {name: x}",
		"streams: {Clicks: {}}", "streams: [clicks]", "streams: {a: {columns: {B: text}}}", "partitions: many", "partitions: -1", "limits: {body: lots}",
		"log: {keep: 3 weeks}", "listen: [a]", "streams: {a: {dedup: on}}", "views: {a: {}}", "views: {A: {stream: b}}", "views: {a: {stream: b, widow: 1m}}",
		"views: {a: {stream: b, measures: [count]}}", "views: {a: {stream: b, measures: {n: sum x}}}", "views: {a: {stream: b, measures: {N: count}}}",
		"views: {a: {stream: b, window: 3 weeks}}", "views: {a: {stream: b, leaderboard: {member: c}}}", "views: {a: {stream: b, leaderboard: {score: c}}}",
		"strict: x", "apps: [shortener]",
		"streams: {a: {dedup: {window: 24 hours}}}", "streams: {a: {dedup: {max_ids: lots}}}", "streams: {a: {dedup: {ids: 5}}}",
	} {
		if err := schema.Validate(asJSON(t, text)); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

// TestSchemaDescribesEverySetting looks for a description of each property, and for the defaults.
func TestSchemaDescribesEverySetting(t *testing.T) {
	o := offlineCommand(t, "config", "schema")
	var doc any
	if err := json.Unmarshal([]byte(o.stdout), &doc); err != nil {
		t.Fatal(err)
	}
	properties := 0
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(at, item)
			}
		case map[string]any:
			if named, ok := v["properties"].(map[string]any); ok {
				for name, p := range named {
					properties++
					if text, _ := p.(map[string]any)["description"].(string); len(text) < 10 {
						t.Errorf("%s.%s has no description: %v", at, name, p)
					}
				}
			}
			for name, item := range v {
				walk(at+"."+name, item)
			}
		}
	}
	walk("", doc)
	if properties < 30 {
		t.Errorf("%d properties", properties)
	}
	for _, want := range []string{`"default": "127.0.0.1:7367"`, `"default": "72h"`, `"default": "20GiB"`, `"default": "5000"`, `"default": "skip"`, `"default": "24h"`, `"default": "100M"`} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("no %s", want)
		}
	}
}

// exampleOfTemplate returns the template with its examples in force, but for those that name files.
func exampleOfTemplate() string {
	text := regexp.MustCompile(`(?m)^( *)#([a-z_]+:)`).ReplaceAllString(configTemplate, "$1$2")
	return regexp.MustCompile(`(?m)^(tls|tokens):.*\n`).ReplaceAllString(text, "")
}

func TestTemplate(t *testing.T) {
	plain, err := loadText(t, configTemplate, settings{})
	if err != nil {
		t.Fatal(err)
	}
	if plan := (&plan{file: plain}); len(plain.Streams) != 1 || plan.file.Listen != defaultConfig().Listen {
		t.Errorf("%+v", plain)
	}
	example, err := loadText(t, exampleOfTemplate(), settings{})
	if err != nil {
		t.Fatal(err)
	}
	if len(example.views()) != 2 || len(example.warnings()) != 0 {
		t.Errorf("views %+v, warnings %q", example.views(), example.warnings())
	}
	if len(example.Streams["clicks"].Columns) != 5 || example.Streams["clicks"].Durability != "memory" || example.Limits != defaultConfig().Limits {
		t.Errorf("%+v", example)
	}
}
