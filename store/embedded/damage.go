package embedded

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"penstock"
)

// report tells the operator of damage that a statement came upon, and in which file, and returns err.
func (d *Database) report(err error) error {
	if penstock.Is(err, penstock.Corrupt) && d.o.Trace.Damaged != nil {
		shard, file := d.locate(err.Error())
		d.o.Trace.Damaged(shard, file, err)
	}
	return err
}

var badBlock = regexp.MustCompile(`stored checksum (\d+) in block at location (\d+)`)

// locate returns the shard and the file that a message of DuckDB about damage means. It names the file itself only when bytes
// are missing; of a block that is not what was written it tells the place, and the checksum that stands there.
func (d *Database) locate(message string) (shard, file string) {
	for _, s := range d.shards {
		for _, f := range s.list() {
			if f.mentioned(message) {
				return s.spec.Name, filepath.Base(f.path)
			}
		}
	}
	return "", ""
}

// mentioned reports whether a message about damage means the file.
func (f *file) mentioned(message string) bool {
	found := badBlock.FindStringSubmatch(message)
	return strings.Contains(message, f.path) || found != nil && hasChecksum(f.path, found[1], found[2])
}

// hasChecksum reports whether a block of a file has the given checksum, right or wrong: its first eight bytes.
func hasChecksum(path, checksum, location string) bool {
	sum, _ := strconv.ParseUint(checksum, 10, 64)
	at, _ := strconv.ParseInt(location, 10, 64)
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var stored [8]byte
	_, err = f.ReadAt(stored[:], at)
	return err == nil && binary.LittleEndian.Uint64(stored[:]) == sum
}
