package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	sqlite "github.com/mattn/go-sqlite3"
)

// sqliteWay counts in a file with a write-ahead log that is synced at each commit. Each client has a connection and a prepared statement.
func sqliteWay(clients int) way {
	return func(ctx context.Context, o options) (run, error) {
		dir, remove, err := o.scratch()
		if err != nil {
			return run{}, err
		}
		defer remove()
		db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "counters.db")+"?_busy_timeout=60000&_journal_mode=WAL&_synchronous=FULL")
		if err != nil {
			return run{}, fmt.Errorf("open sqlite: %w", err)
		}
		defer db.Close()
		for _, statement := range []string{makeCounters, oneCounter} {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return run{}, fmt.Errorf("%s: %w", statement, err)
			}
		}
		began := time.Now()
		done, err := countAll(ctx, db, clients, o)
		took := time.Since(began)
		if err != nil {
			return run{}, err
		}
		var counted int64
		if err := db.QueryRowContext(ctx, readCount).Scan(&counted); err != nil {
			return run{}, fmt.Errorf("%s: %w", readCount, err)
		}
		if counted != done {
			return run{}, fmt.Errorf("sqlite counted %d of %d", counted, done)
		}
		version, _, _ := sqlite.Version()
		return run{Store: "sqlite", Version: version, How: howUpdate, Clients: clients, Events: counted, Seconds: took.Seconds()}, nil
	}
}

// countAll lets all clients count until there are enough events, or time is over.
func countAll(ctx context.Context, db *sql.DB, clients int, o options) (int64, error) {
	deadline := time.Now().Add(o.patience)
	var claimed, done atomic.Int64
	failed := make([]error, clients)
	var counting sync.WaitGroup
	for i := range clients {
		counting.Go(func() {
			failed[i] = countIn(ctx, db, func() bool {
				return time.Now().Before(deadline) && claimed.Add(1) <= o.events
			}, &done)
		})
	}
	counting.Wait()
	return done.Load(), errors.Join(failed...)
}

// countIn is one client.
func countIn(ctx context.Context, db *sql.DB, more func() bool, done *atomic.Int64) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer c.Close()
	update, err := c.PrepareContext(ctx, countOne)
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	defer update.Close()
	for more() {
		if _, err := update.ExecContext(ctx); err != nil {
			return fmt.Errorf("%s: %w", countOne, err)
		}
		done.Add(1)
	}
	return ctx.Err()
}
