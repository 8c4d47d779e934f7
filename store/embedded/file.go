package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"penstock"
)

// tableName is a table of rows within a file: sharedTable, or one stream's own.
type tableName string

// sharedTable holds the rows of all streams without declared columns: a table for each would cost seconds in a commit
// that touches a thousand of them.
const sharedTable tableName = "events"

// ownTable returns the table of a stream with declared columns. Its name is a number, so that no name is cut.
func ownTable(id int32) tableName { return tableName(fmt.Sprintf("s%d", id)) }

// fileFormat numbers the layout of a file; features are bits of what a reader must know. docs/format/shard.md.
const (
	fileFormat   = 1
	fileFeatures = 0
	// storageVersion is DuckDB's own: the oldest one that knows zstd for text and in which this version writes by choice.
	storageVersion = "v1.5.0"
)

// identity says what a file belongs to. It is written when the file is made and never changes.
type identity struct {
	Cluster     string               `json:"cluster"`
	Partitions  int                  `json:"partitions"`
	Fingerprint string               `json:"key_fingerprint"`
	Shard       string               `json:"shard"`
	MapEpoch    int                  `json:"map_epoch"`
	Owned       []penstock.Partition `json:"owned"`
	Number      int                  `json:"number"`
	From        penstock.Positions   `json:"from"` // where the file before it ended
}

// state is what a commit changes beside rows, in the same transaction. A file's state says what was true when its last
// row came; the newest file's is the shard's.
type state struct {
	Serial    int64              `json:"serial"` // of the transaction: each has one more than the one before
	Positions penstock.Positions `json:"positions"`
	LogTime   penstock.Micros    `json:"log_time"` // of the newest row; 0: none yet
	Since     penstock.Micros    `json:"since"`    // log time of the file's first row; 0: none yet
	Rows      map[int32]int64    `json:"rows"`     // in this file, by stream
}

func (s state) clone() state {
	rows := make(map[int32]int64, len(s.Rows))
	for id, n := range s.Rows {
		rows[id] = n
	}
	s.Positions, s.Rows = s.Positions.Clone(), rows
	return s
}

func (s state) rows() int64 {
	var n int64
	for _, r := range s.Rows {
		n += r
	}
	return n
}

// file is one DuckDB file of a shard, attached.
type file struct {
	number int
	path   string
	alias  string // its name as a catalog of the instance
	from   penstock.Positions
	state  state // of the newest file: as of the last commit; guarded by the shard's mu
	tables atomic.Pointer[columnsByTable]

	letters, settled atomic.Bool // whether there are any in it

	states atomic.Pointer[map[int32]int64] // of a sealed file: how many of each model it has, if they were counted
}

// columnsByTable are the declared columns of each table of rows, in order. It never changes: a change makes a new one.
type columnsByTable map[tableName][]string

// columns returns the declared columns of a table, if the file has it.
func (f *file) columns(t tableName) ([]string, bool) {
	columns, ok := (*f.tables.Load())[t]
	return columns, ok
}

// table returns the full name of a table of the file.
func (f *file) table(t tableName) string { return f.alias + ".main." + string(t) }

func filePath(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("%08d.duckdb", number))
}

// listFiles returns the numbers of a shard's files in ascending order. Files that were set aside have other names.
func listFiles(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var numbers []int
	for _, e := range entries {
		var n int
		if _, err := fmt.Sscanf(e.Name(), "%08d.duckdb", &n); err == nil && filePath(dir, n) == filepath.Join(dir, e.Name()) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, err
}

// attach opens a file's storage in the instance.
func attach(ctx context.Context, c conn, f *file, readOnly bool) error {
	options := fmt.Sprintf("STORAGE_VERSION %s, ROW_GROUP_SIZE %d", quote(storageVersion), RowGroup)
	if readOnly {
		options = "READ_ONLY"
	}
	return c.exec(ctx, fmt.Sprintf("ATTACH %s AS %s (%s)", quote(f.path), f.alias, options))
}

// createFile makes a file with the shared table and what it must know. All of it is one transaction: a file without an
// identity was never finished.
func (s *shard) createFile(ctx context.Context, f *file, streams []registered) error {
	c, id := s.conn, s.identity(f)
	if err := attach(ctx, c, f, false); err != nil {
		return err
	}
	idText, err := json.Marshal(id)
	if err != nil {
		return err
	}
	var tables columnsByTable
	err = c.transaction(ctx, func() error {
		err := c.exec(ctx,
			"CREATE TABLE "+f.table("identity")+" (format INTEGER, features INTEGER, identity VARCHAR)",
			fmt.Sprintf("INSERT INTO %s VALUES (%d, %d, %s)", f.table("identity"), fileFormat, fileFeatures, quote(string(idText))),
			"CREATE TABLE "+f.table("state")+" (state VARCHAR)",
			"CREATE TABLE "+f.table("streams")+" (id INTEGER, stream VARCHAR)",
			createTable(f.table(sharedTable), nil),
		)
		if err == nil {
			err = c.exec(ctx, ledgerTables(f)...)
		}
		if err != nil {
			return err
		}
		tables = columnsByTable{sharedTable: {}}
		if err := tables.put(ctx, c, f, streams); err != nil {
			return err
		}
		for _, m := range s.keptModels().sorted() {
			create, err := m.create(f)
			if err != nil {
				return err
			}
			if err := c.exec(ctx, create...); err != nil {
				return err
			}
			tables[modelsTable], tables[modelTable(m.ID)] = nil, nil
		}
		if err := s.begin(ctx, f); err != nil {
			return err
		}
		return f.putState(ctx, c, f.state)
	})
	if err != nil {
		return err
	}
	f.tables.Store(&tables)
	return c.exec(ctx, "CHECKPOINT "+f.alias)
}

// createTable returns the statement that makes a table of rows.
func createTable(table string, declared []penstock.Column) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE IF NOT EXISTS " + table + " (")
	for i, c := range baseColumns() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(ident(c.name) + " " + c.sql)
	}
	for _, c := range declared {
		b.WriteString(", " + ident(c.Name) + " " + sqlType(c))
	}
	return b.String() + ")"
}

// sqlType returns DuckDB's spelling of a declared column's type.
func sqlType(c penstock.Column) string {
	switch c.Type {
	case penstock.Text:
		return "VARCHAR"
	case penstock.Decimal:
		return fmt.Sprintf("DECIMAL(%d,%d)", c.Precision, c.Scale)
	case penstock.Timestamp:
		return "TIMESTAMPTZ"
	}
	return strings.ToUpper(string(c.Type)) // BIGINT, DOUBLE, BOOLEAN, JSON
}

// integers lists numbers as SQL writes them.
func integers(all ...int64) string {
	var b strings.Builder
	for i, n := range all {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	return b.String()
}

// put returns the statements that write the state to a file. The text has numbers and fixed names only. It is no UPDATE:
// after one DuckDB refuses checkpoints until everybody who read before it has ended.
func (s state) put(f *file) ([]string, error) {
	text, err := json.Marshal(s)
	return []string{
		"DELETE FROM " + f.table("state"),
		"INSERT INTO " + f.table("state") + " VALUES (" + quote(string(text)) + ")",
	}, err
}

// putState writes the state within the caller's transaction.
func (f *file) putState(ctx context.Context, c conn, s state) error {
	statements, err := s.put(f)
	if err != nil {
		return err
	}
	return c.exec(ctx, statements...)
}

// load reads what a file says of itself.
func (f *file) load(ctx context.Context, c conn) (identity, error) {
	var id identity
	var format, features int
	var idText, stateText string
	row := c.QueryRowContext(ctx, "SELECT format, features, identity FROM "+f.table("identity"))
	if err := row.Scan(&format, &features, &idText); err != nil {
		return id, err
	}
	if format != fileFormat || features != fileFeatures {
		return id, penstock.Errorf(penstock.Conflict, "read "+filepath.Base(f.path),
			"format %d with features %#x is not known to this version", format, features)
	}
	if err := c.QueryRowContext(ctx, "SELECT state FROM "+f.table("state")).Scan(&stateText); err != nil {
		return id, err
	}
	if err := errors.Join(json.Unmarshal([]byte(idText), &id), json.Unmarshal([]byte(stateText), &f.state)); err != nil {
		return id, err
	}
	if f.state.Rows == nil {
		f.state.Rows = map[int32]int64{}
	}
	if f.state.Positions == nil {
		f.state.Positions = penstock.Positions{}
	}
	var letters, settled bool
	row = c.QueryRowContext(ctx, "SELECT EXISTS (FROM "+f.table(lettersTable)+"), EXISTS (FROM "+f.table(settledTable)+")")
	if err := row.Scan(&letters, &settled); err != nil {
		return id, err
	}
	f.letters.Store(letters)
	f.settled.Store(settled)
	return id, f.loadTables(ctx, c)
}

// loadTables reads which tables of rows a file has, and their declared columns. It does not ask duckdb_columns(), which
// looks into the views of all catalogs, those that batches come through among them.
func (f *file) loadTables(ctx context.Context, c conn) error {
	rows, err := c.QueryContext(ctx, "SELECT table_name FROM duckdb_tables() WHERE database_name = ?"+
		" AND (table_name IN ('events', 'models') OR regexp_full_match(table_name, '[sv][0-9]+'))", f.alias)
	if err != nil {
		return err
	}
	defer rows.Close()
	var names []tableName
	for rows.Next() {
		var name tableName
		if err := rows.Scan(&name); err != nil {
			return err
		}
		names = append(names, name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	tables := columnsByTable{}
	for _, name := range names {
		if tables[name] = nil; name.ofModels() {
			continue
		}
		if tables[name], err = f.readColumns(ctx, c, name); err != nil {
			return err
		}
	}
	f.tables.Store(&tables)
	return nil
}

// readColumns returns the declared columns of a table, in order.
func (f *file) readColumns(ctx context.Context, c conn, t tableName) ([]string, error) {
	rows, err := c.QueryContext(ctx, "SELECT * FROM "+f.table(t)+" LIMIT 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	if len(all) < declaredColumns {
		return nil, penstock.Errorf(penstock.Corrupt, "read "+filepath.Base(f.path), "table %s has %d columns", t, len(all))
	}
	return all[declaredColumns:], nil
}
