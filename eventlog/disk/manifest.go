package disk

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"

	"penstock"
	"penstock/internal/vfs"
)

const (
	manifestName    = "manifest"
	manifestTemp    = "manifest.tmp"
	manifestVersion = 1
)

// manifest is the identity of a log directory (docs/format/manifest.md).
type manifest struct {
	Version    int            `json:"version"`
	Features   []string       `json:"required_features"`
	Log        string         `json:"log"`
	Cluster    string         `json:"cluster"`
	Partitions int            `json:"partitions"`
	Key        string         `json:"partition_key_fingerprint"`
	Epoch      penstock.Epoch `json:"epoch"`
	Owner      string         `json:"owner"`          // random, of whoever opened the log last
	First      SegmentID      `json:"first_segment"`  // older ones are to be removed
	Last       SegmentID      `json:"last_segment"`   // existed when the log was opened
	Doubtful   bool           `json:"clock_doubtful"` // log time went ahead by far at a start, and no operator has vouched for it
}

func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says crypto/rand
	return hex.EncodeToString(b[:])
}

func (m manifest) encode() []byte {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		panic(err) // plain fields only
	}
	text = append(text, '\n')
	return fmt.Appendf(text, "crc32c %08x\n", crc32.Checksum(text, castagnoli))
}

func parseManifest(data []byte) (manifest, error) {
	const op = "read manifest"
	end := bytes.LastIndex(data, []byte("crc32c "))
	if end < 0 || string(data[end:]) != fmt.Sprintf("crc32c %08x\n", crc32.Checksum(data[:end], castagnoli)) {
		return manifest{}, penstock.Errorf(penstock.Corrupt, op, "the checksum differs")
	}
	var m manifest
	if err := json.Unmarshal(data[:end], &m); err != nil {
		return manifest{}, penstock.Wrap(penstock.Corrupt, op, err)
	}
	if m.Version != manifestVersion || len(m.Features) > 0 {
		return manifest{}, penstock.Errorf(penstock.Conflict, op,
			"version %d with features %q is not known: a newer version wrote this log", m.Version, m.Features)
	}
	return m, nil
}

// readManifest returns fs.ErrNotExist if there is none.
func readManifest(files vfs.FS, dir string) (manifest, error) {
	data, err := vfs.ReadFile(files, filepath.Join(dir, manifestName))
	if err != nil {
		return manifest{}, err
	}
	return parseManifest(data)
}

// writeManifest replaces the manifest as a whole, durably.
func writeManifest(files vfs.FS, dir string, m manifest) error {
	temp := filepath.Join(dir, manifestTemp)
	if err := files.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := vfs.WriteFile(files, temp, m.encode()); err != nil {
		return err
	}
	if err := files.Rename(temp, filepath.Join(dir, manifestName)); err != nil {
		return err
	}
	return files.SyncDir(dir)
}
