package embedded

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"iter"

	"github.com/duckdb/duckdb-go/v2"

	"penstock"
	"penstock/internal/sketch"
)

// The functions by which SQL reads and merges the states of sketches. Views call them; users cannot.
const (
	mergeFunction    = "penstock_merge"
	uniqueFunction   = "penstock_unique"
	quantileFunction = "penstock_quantile"
	topFunction      = "penstock_top"
)

// listFunction is a function of a list of states, and perhaps an argument.
type listFunction struct {
	config duckdb.ScalarFuncConfig
	call   func(states iter.Seq[[]byte], args []driver.Value) (any, error)
}

// Config implements duckdb.ScalarFunc.
func (f *listFunction) Config() duckdb.ScalarFuncConfig { return f.config }

// Executor implements duckdb.ScalarFunc.
func (f *listFunction) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{RowContextExecutor: func(_ context.Context, args []driver.Value) (any, error) {
		list, _ := args[0].([]any)
		return f.call(func(yield func([]byte) bool) {
			for _, one := range list {
				if state, ok := one.([]byte); ok && !yield(state) {
					return
				}
			}
		}, args[1:])
	}}
}

// registerSketches makes the functions known. It is called once for a database.
func registerSketches(c *sql.Conn) error {
	types, err := typesOf(duckdb.TYPE_BLOB, duckdb.TYPE_BIGINT, duckdb.TYPE_DOUBLE, duckdb.TYPE_VARCHAR)
	if err != nil {
		return penstock.Wrap(penstock.Internal, "register functions of sketches", err)
	}
	blob, bigint, double, text := types[0], types[1], types[2], types[3]
	states, err := duckdb.NewListInfo(blob)
	if err != nil {
		return penstock.Wrap(penstock.Internal, "register functions of sketches", err)
	}
	register := func(name string, result duckdb.TypeInfo, more []duckdb.TypeInfo, call func(iter.Seq[[]byte], []driver.Value) (any, error)) error {
		config := duckdb.ScalarFuncConfig{InputTypeInfos: append([]duckdb.TypeInfo{states}, more...), ResultTypeInfo: result}
		return duckdb.RegisterScalarUDF(c, name, &listFunction{config, call})
	}
	return penstock.Wrap(penstock.Internal, "register functions of sketches", errors.Join(
		register(mergeFunction, blob, nil, func(all iter.Seq[[]byte], _ []driver.Value) (any, error) {
			return orNull(sketch.Merge(all))
		}),
		register(uniqueFunction, bigint, nil, uniqueOf),
		register(quantileFunction, double, []duckdb.TypeInfo{double}, quantileOf),
		register(topFunction, text, []duckdb.TypeInfo{bigint}, topOf),
	))
}

func typesOf(all ...duckdb.Type) ([]duckdb.TypeInfo, error) {
	infos := make([]duckdb.TypeInfo, len(all))
	var failed error
	for i, t := range all {
		var err error
		infos[i], err = duckdb.NewTypeInfo(t)
		failed = errors.Join(failed, err)
	}
	return infos, failed
}

// orNull returns a state, or NULL if there is none.
func orNull(state []byte, err error) (any, error) {
	if state == nil || err != nil {
		return nil, err
	}
	return state, nil
}

func uniqueOf(all iter.Seq[[]byte], _ []driver.Value) (any, error) {
	state, err := sketch.Merge(all)
	if state == nil || err != nil {
		return int64(0), err
	}
	n, err := sketch.UniqueCount(state)
	return int64(n), err
}

func quantileOf(all iter.Seq[[]byte], args []driver.Value) (any, error) {
	state, err := sketch.Merge(all)
	if state == nil || err != nil {
		return nil, err
	}
	return sketch.QuantileAt(state, args[0].(float64))
}

func topOf(all iter.Seq[[]byte], args []driver.Value) (any, error) {
	type item struct {
		Value string `json:"value"`
		Count uint64 `json:"count"`
	}
	shown := []item{}
	state, err := sketch.Merge(all)
	if state != nil && err == nil {
		var items []sketch.Item
		items, err = sketch.TopItems(state, int(args[0].(int64)))
		for _, one := range items {
			shown = append(shown, item{one.Key, one.Count})
		}
	}
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(shown)
	return string(text), err
}
