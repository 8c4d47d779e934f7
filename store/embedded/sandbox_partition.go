package embedded

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/duckdb/duckdb-go/v2"

	"penstock"
)

// registerPartition makes penstock_partition(stream, key) callable on conn and every other connection to its database:
// the partition that holds the key's events, so that "_partition = penstock_partition('clicks', 'k')" is a constant by
// which DuckDB prunes. It is written in Go because the cluster's partition key must not appear in SQL. It is
// called once for a database.
func registerPartition(conn *sql.Conn, p penstock.Partitioner) error {
	const op = "register penstock_partition"
	varchar, err := duckdb.NewTypeInfo(duckdb.TYPE_VARCHAR)
	if err != nil {
		return penstock.Wrap(penstock.Internal, op, err)
	}
	integer, err := duckdb.NewTypeInfo(duckdb.TYPE_INTEGER)
	if err != nil {
		return penstock.Wrap(penstock.Internal, op, err)
	}
	f := partitionFunc{config: duckdb.ScalarFuncConfig{
		InputTypeInfos: []duckdb.TypeInfo{varchar, varchar}, ResultTypeInfo: integer,
	}, partitioner: p}
	return penstock.Wrap(penstock.Internal, op, duckdb.RegisterScalarUDF(conn, "penstock_partition", f))
}

type partitionFunc struct {
	config      duckdb.ScalarFuncConfig
	partitioner penstock.Partitioner
}

// Config implements duckdb.ScalarFunc. NULL in gives NULL out: an event without a key lies where its id says.
func (f partitionFunc) Config() duckdb.ScalarFuncConfig { return f.config }

// Executor implements duckdb.ScalarFunc.
func (f partitionFunc) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{RowContextExecutor: func(_ context.Context, args []driver.Value) (any, error) {
		stream, _ := args[0].(string)
		key, _ := args[1].(string)
		if key == "" {
			return nil, nil
		}
		return int32(f.partitioner.Of(penstock.DefaultTenant, stream, []byte(key), nil)), nil
	}}
}
