package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"penstock"
	"penstock/eventlog/disk"
	"penstock/eventlog/memory"
	"penstock/internal/vfs"
	"penstock/store/embedded"
)

// clockJumps are steps of a wall clock that showed stageNoon.
func clockJumps() []time.Duration {
	return []time.Duration{
		time.Hour, -time.Hour, -24 * time.Hour, 10 * 365 * 24 * time.Hour, -time.Second,
		time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC).Sub(stageNoon), time.Unix(0, 0).Sub(stageNoon),
	}
}

// clicked returns a block with an event.
func clicked(c penstock.Cluster, id string) *penstock.Block {
	b := penstock.NewBlockBuilder(penstock.NewPartitioner(c))
	b.Reset(penstock.DefaultTenant, "clicks", penstock.MicrosOf(stageNoon), 0)
	b.Add(penstock.Event{ID: []byte(id), Key: []byte("k"), Time: penstock.MicrosOf(stageNoon), Body: []byte("{}")})
	return b.Take()
}

// follow applies what a log has and a store lacks.
func follow(t *testing.T, log penstock.Reader, s penstock.Store) {
	t.Helper()
	at, ended := penstock.Positions{}, true
	_, end, err := log.Bounds(t.Context())
	for _, p := range s.Partitions() {
		if err == nil {
			at[p], err = s.Position(t.Context(), p)
		}
		ended = ended && !at[p].Less(end[p])
	}
	if err != nil || ended {
		t.Fatalf("nothing to follow from %v to %v: %v", at, end, err)
	}
	cursor, err := log.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer cursor.Close()
	b, err := cursor.Next(t.Context(), 1<<20)
	if err == nil {
		err = s.Apply(t.Context(), b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// became returns how many events of a store are stored, duplicate and expired.
func became(t *testing.T, s penstock.Store) string {
	t.Helper()
	tallies, _, err := s.(penstock.Auditor).Tallies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var stored, duplicate, expired int64
	for _, tally := range tallies {
		stored += tally[penstock.FateStored].Events
		duplicate += tally[penstock.FateDuplicate].Events
		expired += tally[penstock.FateExpired].Events
	}
	return fmt.Sprintf("%d stored, %d duplicate, %d expired", stored, duplicate, expired)
}

// TestClockJumpsWhileEventsCome lets the wall clock jump and jump back: windows and retention go by log time.
// It holds C-CLOCK.
func TestClockJumpsWhileEventsCome(t *testing.T) {
	for _, jump := range clockJumps() {
		t.Run(jump.String(), func(t *testing.T) {
			now := stageNoon
			log := memory.New(memory.Options{Partitions: stageCluster.Partitions, Now: func() time.Time { return now }})
			defer log.Close()
			d, err := embedded.Open(t.Context(), t.TempDir(), embedded.Options{
				Cluster: stageCluster, Shards: shardSpecs([]string{"duckdb:shard-0"}, stageCluster.Partitions), Period: time.Minute,
				Streams: []penstock.Stream{{Name: "clicks", KeepRows: 10 * time.Minute, Dedup: penstock.Dedup{Window: 10 * time.Minute, MaxIDs: 1000}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			s := d.Shards()[0]
			send := func(id, want string) {
				t.Helper()
				if err := log.Append(t.Context(), clicked(stageCluster, id)); err != nil {
					t.Fatal(err)
				}
				follow(t, log, s)
				if err := d.Retain(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := became(t, s); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			}
			send("1", "1 stored, 0 duplicate, 0 expired")
			now = now.Add(jump)
			send("2", "2 stored, 0 duplicate, 0 expired")
			send("1", "2 stored, 1 duplicate, 0 expired")
			now = now.Add(-jump)
			send("3", "3 stored, 1 duplicate, 0 expired")
			send("1", "3 stored, 2 duplicate, 0 expired")
			send("2", "3 stored, 3 duplicate, 0 expired")
		})
	}
}

// TestNothingExpiresWhileTheClockIsInDoubt starts a server long after its last event: no row goes before somebody says that the clock is right.
// It holds C-CLOCK.
func TestNothingExpiresWhileTheClockIsInDoubt(t *testing.T) {
	dir := t.TempDir()
	c, err := loadText(t, "listen: 127.0.0.1:0\nstreams: {clicks: {keep_rows: 24h}}\ndata: "+dir+"\n", settings{})
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := openCluster(dir, c.cluster())
	if err != nil {
		t.Fatal(err)
	}
	past, err := disk.Open(vfs.OS(), filepath.Join(dir, logDir), disk.Options{
		Cluster: cluster, Now: func() time.Time { return time.Now().Add(-10 * 365 * 24 * time.Hour) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := past.Append(t.Context(), clicked(cluster, "old")); err != nil {
		t.Fatal(err)
	}
	if err := past.Close(); err != nil {
		t.Fatal(err)
	}
	for i, accept := range []bool{false, false, true} {
		o := engineOptions{roles: roles{ingest: true, consumer: true, query: true}, acceptClock: accept, log: slog.New(slog.NewTextHandler(t.Output(), nil))}
		e, err := openEngine(context.WithoutCancel(t.Context()), c, o)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			follow(t, e.journal, e.store)
		}
		if err := e.journal.Append(t.Context(), clicked(cluster, fmt.Sprint("new ", i))); err != nil {
			t.Fatal(err)
		}
		follow(t, e.journal, e.store)
		if err := e.retainStore(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%d stored, 0 duplicate, 0 expired", i+2)
		if accept {
			want = "3 stored, 0 duplicate, 1 expired"
		}
		if got := became(t, e.store); got != want {
			t.Errorf("start %d: %s, want %s", i, got, want)
		}
		if err := e.close(); err != nil {
			t.Fatal(err)
		}
	}
}
