package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"penstock"
	"penstock/internal/edge"
)

func stream(name string, columns ...string) penstock.Stream {
	s := penstock.Stream{Name: name}
	for _, c := range columns {
		s.Columns = append(s.Columns, penstock.Column{Name: c, Type: penstock.Text, Path: c})
	}
	return s
}

func names(streams []penstock.Stream) []string {
	var all []string
	for _, s := range streams {
		all = append(all, s.Name)
	}
	return all
}

// use does what the door does for a request with events.
func use(d *directory, name string) (*penstock.Stream, error) {
	s, err := d.Stream(penstock.DefaultTenant, name)
	if err != nil {
		return nil, err
	}
	return s, d.Use(penstock.DefaultTenant, s)
}

func TestDirectoryOfAFileAnswersUnknownStream(t *testing.T) {
	d := newDirectory([]penstock.Stream{stream("clicks", "link")}, false, nil)
	s, err := d.Stream(penstock.DefaultTenant, "clicks")
	if err != nil || len(s.Columns) != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	for name, want := range map[string]string{"orders": "unknown_stream", "../etc": "bad_stream", "penstock": "bad_stream"} {
		if _, err := d.Stream(penstock.DefaultTenant, name); edge.Reason(err) != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

func TestDirectoryMakesStreamsByFirstUse(t *testing.T) {
	var declared [][]string
	d := newDirectory([]penstock.Stream{stream("clicks")}, true, func(all []penstock.Stream) error {
		declared = append(declared, names(all))
		return nil
	})
	for range 2 { // who only asks makes none
		if _, err := d.Stream(penstock.DefaultTenant, "asked"); err != nil || len(d.list()) != 1 {
			t.Fatalf("%v, streams %v", err, names(d.list()))
		}
	}
	for range 2 {
		if s, err := use(d, "orders"); err != nil || s.Name != "orders" || s.Dedup != (penstock.Dedup{Window: 24 * time.Hour, MaxIDs: 100e6}) {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	if len(declared) != 1 || !slices.Equal(declared[0], []string{"clicks", "orders"}) {
		t.Errorf("declared %v", declared)
	}
	if got := d.label("clicks") + " " + d.label("orders"); got != "clicks other" {
		t.Errorf("labels %s: only the configuration makes series", got)
	}
}

func TestDirectoryStaysAsItWasWhenTheStoreObjects(t *testing.T) {
	objection := errors.New("no")
	d := newDirectory([]penstock.Stream{stream("clicks")}, true, func([]penstock.Stream) error { return objection })
	if err := d.set([]penstock.Stream{stream("orders")}); !errors.Is(err, objection) {
		t.Errorf("set: %v", err)
	}
	if _, err := use(d, "orders"); !errors.Is(err, objection) {
		t.Errorf("first use: %v", err)
	}
	if got := names(d.list()); !slices.Equal(got, []string{"clicks"}) {
		t.Errorf("streams %v", got)
	}
}

func TestDirectoryFollowsTheConfiguration(t *testing.T) {
	for _, auto := range []bool{false, true} {
		d := newDirectory([]penstock.Stream{stream("clicks", "link"), stream("orders")}, auto, nil)
		if err := d.set([]penstock.Stream{stream("orders", "amount"), stream("visits")}); err != nil {
			t.Fatal(err)
		}
		want := []string{"orders", "visits"}
		if auto { // what was made stays, as it was
			want = []string{"clicks", "orders", "visits"}
		}
		if got := names(d.list()); !slices.Equal(got, want) {
			t.Errorf("auto %v: streams %v, want %v", auto, got, want)
		}
		if s, err := d.Stream(penstock.DefaultTenant, "orders"); err != nil || len(s.Columns) != 1 {
			t.Errorf("auto %v: %+v, %v", auto, s, err)
		}
		if got := d.label("clicks") + " " + d.label("visits"); got != "other visits" {
			t.Errorf("labels %s", got)
		}
	}
}

func TestDirectoryIsBounded(t *testing.T) {
	var most []penstock.Stream
	for i := range penstock.MaxStreams - 1 {
		most = append(most, stream(fmt.Sprintf("s%d", i)))
	}
	d := newDirectory(most, true, nil)
	late, err := d.Stream(penstock.DefaultTenant, "late")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := use(d, "the_last"); err != nil {
		t.Fatal(err)
	}
	if err := d.Use(penstock.DefaultTenant, late); edge.Reason(err) != "cardinality" {
		t.Errorf("one that was allowed before: %v", err)
	}
	if _, err := d.Stream(penstock.DefaultTenant, "one_more"); edge.Reason(err) != "cardinality" {
		t.Errorf("stream %d: %v", penstock.MaxStreams+1, err)
	}
	if _, err := use(d, "s0"); err != nil {
		t.Errorf("a known one: %v", err)
	}
}
