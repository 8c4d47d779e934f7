package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"penstock"
)

// engine is the one DuckDB instance of a database. Connections to it are cheap and each is used by one goroutine.
type engine struct {
	connector *duckdb.Connector
	db        *sql.DB
}

// openEngine starts an instance that reaches files of dir alone and whose configuration nobody can change.
func openEngine(ctx context.Context, dir string, o Options) (*engine, error) {
	const op = "start duckdb"
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, penstock.Wrap(penstock.Internal, op, err)
	}
	e := &engine{connector: connector, db: sql.OpenDB(connector)}
	conn, err := e.conn(ctx)
	if err != nil {
		return nil, errors.Join(penstock.Wrap(penstock.Internal, op, err), e.close())
	}
	defer conn.Close()
	if err := conn.exec(ctx, settings(dir, o)...); err != nil {
		return nil, errors.Join(penstock.Wrap(penstock.Internal, op, err), e.close())
	}
	if err := registerSketches(conn.Conn); err != nil {
		return nil, errors.Join(err, e.close())
	}
	if err := registerPartition(conn.Conn, penstock.NewPartitioner(o.Cluster)); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// settings are the statements that configure an instance. The last one locks them.
func settings(dir string, o Options) []string {
	threads := o.Threads
	if threads == 0 {
		threads = max(1, runtime.GOMAXPROCS(0)/2)
	}
	return []string{
		"SET GLOBAL TimeZone = 'UTC'",
		"SET GLOBAL arrow_lossless_conversion = true", // results say what is JSON, and 128-bit integers stay whole
		fmt.Sprintf("SET memory_limit = '%dB'", o.Memory),
		fmt.Sprintf("SET threads = %d", threads),
		"SET allocator_background_threads = true", // else what a large statement took stays with the process
		"SET temp_directory = " + quote(filepath.Join(dir, temporary)),
		"SET max_temp_directory_size = '16GB'",
		"SET wal_autocheckpoint = '1TB'", // a shard decides itself, see shard.checkpoint
		"SET allowed_directories = [" + quote(dir+string(os.PathSeparator)) + "]",
		"SET autoload_known_extensions = false",
		"SET autoinstall_known_extensions = false",
		"SET allow_community_extensions = false",
		"SET enable_external_access = false",
		"SET lock_configuration = true",
	}
}

// conn returns a connection, which its user closes. It fails with Unavailable.
func (e *engine) conn(ctx context.Context) (conn, error) {
	c, err := e.db.Conn(ctx)
	return conn{c}, penstock.Wrap(penstock.Unavailable, "connect to duckdb", err)
}

func (e *engine) close() error { return errors.Join(e.db.Close(), e.connector.Close()) }

// conn is a connection. A result must be read to its end before the next statement.
type conn struct{ *sql.Conn }

// exec runs statements one after the other, up to the first that fails.
func (c conn) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := c.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// transaction runs f within a transaction of the connection, see transact.
func (c conn) transaction(ctx context.Context, f func() error) error {
	return transact(ctx, func(ctx context.Context, statement string) error { return c.exec(ctx, statement) }, f)
}

// execute runs a statement.
type execute func(ctx context.Context, statement string) error

// transact runs f within a transaction, which is rolled back if f fails. COMMIT is never interrupted; after an error of it
// the code is Unknown.
func transact(ctx context.Context, exec execute, f func() error) error {
	if err := exec(ctx, "BEGIN TRANSACTION"); err != nil {
		return err
	}
	whole := context.WithoutCancel(ctx)
	if err := f(); err != nil {
		_ = exec(whole, "ROLLBACK") // DuckDB may have done it already
		return err
	}
	return penstock.Wrap(penstock.Unknown, "commit", exec(whole, "COMMIT"))
}

// quote returns a SQL string.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// ident returns a quoted SQL name.
func ident(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func isOutOfMemory(err error) bool { return isDuck(err, duckdb.ErrorTypeOutOfMemory) }

// isRefusal reports whether DuckDB found fault with what it was given, not with itself.
func isRefusal(err error) bool {
	for _, kind := range []duckdb.ErrorType{
		duckdb.ErrorTypeConversion, duckdb.ErrorTypeOutOfRange, duckdb.ErrorTypeConstraint, duckdb.ErrorTypeMismatchType, duckdb.ErrorTypeDecimal,
	} {
		if isDuck(err, kind) {
			return true
		}
	}
	return strings.Contains(err.Error(), "Invalid unicode")
}

// isBusy reports whether a checkpoint has to wait for readers of what was before a declaration.
func isBusy(err error) bool { return isDuck(err, duckdb.ErrorTypeTransaction) }

func isDuck(err error, kind duckdb.ErrorType) bool {
	var e *duckdb.Error
	return errors.As(err, &e) && e.Type == kind
}

// isDamaged reports whether a block of a file is not there, or does not have its checksum.
func isDamaged(err error) bool {
	text := err.Error()
	return strings.Contains(text, "Corrupt database file") || strings.Contains(text, "Could not read enough bytes from file")
}

// isBroken reports whether the instance refuses all further work: only a new process helps.
func isBroken(err error) bool {
	return isDuck(err, duckdb.ErrorTypeFatal) || strings.Contains(err.Error(), "has been invalidated")
}
