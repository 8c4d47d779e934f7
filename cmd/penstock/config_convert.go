package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"penstock"
	"penstock/client"
	"penstock/internal/jsonscan"
)

// streams returns the configured streams in the order of their names, as the parts know them.
func (c *Config) streams() []penstock.Stream {
	all := make([]penstock.Stream, 0, len(c.Streams))
	for _, name := range slices.Sorted(maps.Keys(c.Streams)) {
		all = append(all, streamOf(name, c.Streams[name]))
	}
	return all
}

// streamOf converts an entry that Validate has passed.
func streamOf(name string, s StreamConfig) penstock.Stream {
	stream := penstock.Stream{
		Name: name, IDField: s.IDField, KeyField: s.KeyField, TimeField: s.TimeField,
		KeepRows: time.Duration(s.KeepRows),
	}
	stream.Dedup = penstock.Dedup{Window: time.Duration(s.Dedup.Window), MaxIDs: int64(s.Dedup.MaxIDs)}
	stream.HaltKey = s.OnPoison == haltKey
	if s.Durability == string(penstock.DurabilityMemory) {
		stream.Durability = penstock.DurabilityMemory
	}
	for _, column := range slices.Sorted(maps.Keys(s.Columns)) {
		if col, err := columnOf(column, s.Columns[column]); err == nil {
			stream.Columns = append(stream.Columns, col)
		}
	}
	return stream
}

// described returns a stream as a server tells of it.
func described(info client.StreamInfo) (penstock.Stream, error) {
	keep, err := durationOf(info.KeepRows)
	window, windowErr := durationOf(info.DedupWindow)
	if err := cmp.Or(err, windowErr); err != nil {
		return penstock.Stream{}, fmt.Errorf("stream %s: %w", info.Name, err)
	}
	return penstock.Stream{
		Name: info.Name, IDField: info.IDField, KeyField: info.KeyField, TimeField: info.TimeField, Columns: info.Columns,
		KeepRows: keep, Durability: penstock.Durability(info.Durability),
		Dedup: penstock.Dedup{Window: window, MaxIDs: info.DedupMaxIDs}, HaltKey: info.OnPoison == haltKey,
	}, nil
}

// durationOf reads a duration of an answer, in which "" is none.
func durationOf(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	return time.ParseDuration(text)
}

// columnOf reads a column's type and path. The error has no line of its own.
func columnOf(name string, spec ColumnConfig) (penstock.Column, error) {
	col := penstock.Column{Name: name, Path: spec.Path}
	if slices.Contains(builtIn[:], strings.ToLower(name)) {
		return col, fmt.Errorf("%s is a column that every stream has", name)
	}
	if !columnName.MatchString(name) {
		return col, errors.New("a column's name is a lower-case letter and up to 62 lower-case letters, digits or _")
	}
	if col.Path == "" {
		col.Path = name
	} else if !isPath(col.Path) {
		return col, fmt.Errorf(`%q is not a path such as geo.country (a dot inside a name is \.)`, col.Path)
	}
	text := strings.ToLower(strings.TrimSpace(spec.Type))
	if m := decimalOf.FindStringSubmatch(text); m != nil {
		col.Type = penstock.Decimal
		col.Precision, _ = strconv.Atoi(m[1])
		col.Scale, _ = strconv.Atoi(m[2])
		if col.Precision < 1 || col.Precision > maxPrecision || col.Scale > col.Precision {
			return col, fmt.Errorf("%s: want 1 to %d digits, and not more of them after the point", text, maxPrecision)
		}
		return col, nil
	}
	types := []string{"text", "bigint", "double", "boolean", "timestamp", "json"}
	switch {
	case text == "":
		return col, errors.New("a type is missing")
	case text == "decimal":
		return col, errors.New(`decimal needs its digits, such as "decimal(12,2)"`)
	case !slices.Contains(types, text):
		return col, fmt.Errorf("%q is not a type: %s, decimal(p,s)%s", spec.Type, strings.Join(types, ", "), didYouMean(text, types))
	}
	col.Type = penstock.ColumnType(text)
	return col, nil
}

// isPath reports whether text is names joined by dots.
func isPath(text string) bool {
	_, err := jsonscan.ParsePath(text)
	return err == nil
}

// cluster returns the identity that the configuration names; what it leaves out the data directory decides.
func (c *Config) cluster() clusterFile {
	return clusterFile{
		ID: strings.ToLower(c.Cluster.ID), PartitionKey: strings.ToLower(c.Cluster.PartitionKey), Partitions: c.Partitions,
	}
}

// warnings returns what is allowed and still deserves a word.
func (c *Config) warnings() []string {
	all := c.lookalikes()
	host := c.Listen[:max(0, strings.LastIndexByte(c.Listen, ':'))]
	if !isLoopback(strings.Trim(host, "[]")) && c.TLS == (TLSConfig{}) {
		all = append(all, "listen: "+c.Listen+" speaks plain HTTP: tokens can be read on the way, unless something before it ends TLS")
	}
	return all
}

// cause returns the text behind the operation of an error, for places that name the subject themselves.
func cause(err error) error {
	var e *penstock.Error
	if errors.As(err, &e) && e.Err != nil {
		return e.Err
	}
	return err
}
