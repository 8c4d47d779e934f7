package embedded

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/duckdb/duckdb-go/v2"

	"penstock"
)

// The tables of the schema penstock are views over functions that make their rows when they are read.

// systemTables returns them by name: those of the options, and the store's own.
func (d *Database) systemTables() map[string]SystemTable {
	all := map[string]SystemTable{"shards": {
		Columns: []penstock.ResultColumn{
			{Name: "shard", Type: "VARCHAR"}, {Name: "partitions", Type: "BIGINT"}, {Name: "files", Type: "BIGINT"},
			{Name: "rows", Type: "BIGINT"}, {Name: "bytes", Type: "BIGINT"},
		},
		Rows: d.shardRows,
	}}
	for name, t := range d.o.Tables {
		all[name] = t
	}
	return all
}

func (d *Database) shardRows(context.Context) ([][]any, error) {
	var rows [][]any
	for _, s := range d.shards {
		files := s.list()
		var count, size int64
		s.mu.RLock()
		for _, f := range files {
			count += f.state.rows()
		}
		s.mu.RUnlock()
		for _, f := range files {
			for _, path := range []string{f.path, f.path + ".wal"} {
				if info, err := os.Stat(path); err == nil {
					size += info.Size()
				}
			}
		}
		rows = append(rows, []any{s.spec.Name, int64(len(s.owned)), int64(len(files)), count, size})
	}
	return rows, nil
}

// rowsBySystemTable are the rows that a statement finds in the system tables that it reads. They are made before it runs
// and travel in its context: what a callback of DuckDB does can neither fail with a code nor panic without harm.
type rowsBySystemTable map[string][][]any

type systemKey struct{}

// withSystemRows returns the context for a statement that reads the given tables.
func (d *Database) withSystemRows(ctx context.Context, tables []string) (context.Context, error) {
	made := rowsBySystemTable{}
	for name, table := range d.systemTables() {
		if !slices.Contains(tables, "penstock."+name) {
			continue
		}
		rows, err := table.Rows(ctx)
		if err != nil {
			return ctx, penstock.Wrap(penstock.CodeOf(err), "read penstock."+name, err)
		}
		for _, row := range rows {
			if len(row) != len(table.Columns) {
				return ctx, penstock.Errorf(penstock.Internal, "read penstock."+name, "a row of %d values for %d columns", len(row), len(table.Columns))
			}
		}
		made[name] = rows
	}
	return context.WithValue(ctx, systemKey{}, made), nil
}

// registerTables makes the views.
func (d *Database) registerTables(ctx context.Context) error {
	for name, table := range d.systemTables() {
		infos := make([]duckdb.ColumnInfo, len(table.Columns))
		for i, c := range table.Columns {
			t, err := systemType(c.Type)
			if err != nil {
				return penstock.Wrap(penstock.Internal, "make table penstock."+name, err)
			}
			infos[i] = duckdb.ColumnInfo{Name: c.Name, T: t}
		}
		function := "penstock_table_" + name
		err := duckdb.RegisterTableUDF(d.catalog.Conn, function, duckdb.ChunkTableFunction{
			BindArgumentsContext: func(ctx context.Context, _ map[string]any, _ ...any) (duckdb.ChunkTableSource, error) {
				made, _ := ctx.Value(systemKey{}).(rowsBySystemTable)
				return &systemRows{columns: infos, rows: made[name]}, nil
			},
		})
		if err == nil {
			err = d.catalog.exec(ctx, "CREATE VIEW memory.penstock."+ident(name)+" AS SELECT * FROM "+function+"()")
		}
		if err != nil {
			return penstock.Wrap(penstock.Internal, "make table penstock."+name, err)
		}
	}
	return nil
}

func systemType(name string) (duckdb.TypeInfo, error) {
	switch name {
	case "VARCHAR":
		return duckdb.NewTypeInfo(duckdb.TYPE_VARCHAR)
	case "BIGINT":
		return duckdb.NewTypeInfo(duckdb.TYPE_BIGINT)
	case "DOUBLE":
		return duckdb.NewTypeInfo(duckdb.TYPE_DOUBLE)
	case "BOOLEAN":
		return duckdb.NewTypeInfo(duckdb.TYPE_BOOLEAN)
	case "TIMESTAMPTZ":
		return duckdb.NewTypeInfo(duckdb.TYPE_TIMESTAMP_TZ)
	}
	return nil, fmt.Errorf("type %s is none of a system table", name)
}

// systemRows hands rows to DuckDB, from one thread.
type systemRows struct {
	columns []duckdb.ColumnInfo
	rows    [][]any
	next    int
}

// ColumnInfos implements duckdb.ChunkTableSource.
func (s *systemRows) ColumnInfos() []duckdb.ColumnInfo { return s.columns }

// Cardinality implements duckdb.ChunkTableSource.
func (s *systemRows) Cardinality() *duckdb.CardinalityInfo {
	return &duckdb.CardinalityInfo{Cardinality: uint(len(s.rows)), Exact: true}
}

// Init implements duckdb.ChunkTableSource: the table is read, perhaps not for the first time.
func (s *systemRows) Init() { s.next = 0 }

// FillChunk implements duckdb.ChunkTableSource.
func (s *systemRows) FillChunk(chunk duckdb.DataChunk) error {
	n := min(duckdb.GetDataChunkCapacity(), len(s.rows)-s.next)
	for i, row := range s.rows[s.next : s.next+n] {
		for j, v := range row {
			if err := chunk.SetValue(j, i, v); err != nil {
				return err
			}
		}
	}
	s.next += n
	return chunk.SetSize(n)
}
