package embedded

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
)

// typeName returns how DuckDB spells the type of a result's column.
func typeName(f arrow.Field) string {
	if name, ok := extensionTypes()[extension(f)]; ok {
		return name
	}
	switch t := f.Type.(type) {
	case *arrow.Decimal128Type:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale)
	case *arrow.TimestampType:
		if t.TimeZone != "" {
			return "TIMESTAMP WITH TIME ZONE"
		}
		return "TIMESTAMP"
	case *arrow.MapType:
		return "MAP(" + typeName(t.KeyField()) + ", " + typeName(t.ItemField()) + ")"
	case *arrow.StructType:
		return "STRUCT"
	case *arrow.DictionaryType:
		return "ENUM"
	case arrow.ListLikeType:
		return typeName(t.ElemField()) + "[]"
	}
	if name, ok := simpleTypes()[f.Type.ID()]; ok {
		return name
	}
	return f.Type.Name()
}

func extensionTypes() map[string]string {
	return map[string]string{
		"arrow.json": "JSON", "hugeint": "HUGEINT", "uhugeint": "UHUGEINT", "arrow.uuid": "UUID", "bit": "BIT", "time_tz": "TIMETZ",
		"bignum": "BIGNUM", "arrow.bool8": "BOOLEAN",
	}
}

func simpleTypes() map[arrow.Type]string {
	return map[arrow.Type]string{
		arrow.BOOL: "BOOLEAN", arrow.INT8: "TINYINT", arrow.INT16: "SMALLINT", arrow.INT32: "INTEGER", arrow.INT64: "BIGINT",
		arrow.UINT8: "UTINYINT", arrow.UINT16: "USMALLINT", arrow.UINT32: "UINTEGER", arrow.UINT64: "UBIGINT",
		arrow.FLOAT32: "FLOAT", arrow.FLOAT64: "DOUBLE", arrow.STRING: "VARCHAR", arrow.BINARY: "BLOB", arrow.DATE32: "DATE",
		arrow.TIME64: "TIME", arrow.INTERVAL_MONTH_DAY_NANO: "INTERVAL", arrow.NULL: "NULL",
	}
}
