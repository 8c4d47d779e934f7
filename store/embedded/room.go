package embedded

import (
	"errors"
	"io/fs"
	"os"

	"penstock"
	"penstock/internal/vfs"
)

// spareRoom is how much has to be free beyond what a checkpoint brings from the write-ahead log into the file: the last row groups are
// written anew, and so is what tells where everything lies.
const spareRoom = 32 << 20

// room fails with Full if the shard's file system has too little room for a checkpoint. One that fails for want of room half way makes
// DuckDB give up the file until a new process opens it; one that is not begun costs nothing, since the write-ahead log has everything.
func (s *shard) room() error {
	const op = "look for room"
	var logged int64
	switch info, err := os.Stat(s.newest().path + ".wal"); {
	case err == nil:
		logged = info.Size()
	case !errors.Is(err, fs.ErrNotExist):
		return penstock.Wrap(penstock.Unavailable, op, err)
	}
	free, _, err := vfs.OS().Free(s.dir)
	if err != nil {
		return penstock.Wrap(penstock.Unavailable, op, err)
	}
	if need := penstock.Bytes(logged) + spareRoom; free < need {
		return penstock.Errorf(penstock.Full, op, "%d bytes are free, a checkpoint may take %d", free, need)
	}
	return nil
}
