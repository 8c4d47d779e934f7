package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"penstock"
)

// clusterFile is how a data directory remembers what was chosen once. It holds a secret and is readable only by its owner.
type clusterFile struct {
	Format       int    `json:"format"`
	ID           string `json:"id"`
	PartitionKey string `json:"partition_key"`
	Partitions   int    `json:"partitions"`
}

const clusterFormat = 1

// openCluster returns the identity that the data directory holds, or gives it one: that of the configuration where it
// names one, random otherwise. A configuration that contradicts the directory is refused.
func openCluster(dir string, want clusterFile) (penstock.Cluster, error) {
	path := filepath.Join(dir, clusterName)
	held, err := readCluster(path)
	if errors.Is(err, fs.ErrNotExist) {
		held = fillCluster(want)
		err = writeFileSynced(path, held)
	}
	if err != nil {
		return penstock.Cluster{}, err
	}
	c, err := held.cluster()
	if err != nil {
		return c, err
	}
	want.ID, want.PartitionKey = or(want.ID, held.ID), or(want.PartitionKey, held.PartitionKey)
	wanted, err := want.cluster()
	if err != nil {
		return c, err
	}
	if err := wanted.Mismatch(c.ID, c.Key.Fingerprint(), c.Partitions); err != nil {
		return c, penstock.Errorf(penstock.Conflict, "open data directory", "%w (here is the configuration, there is %s)", cause(err), path)
	}
	return c, nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func readCluster(path string) (clusterFile, error) {
	var f clusterFile
	raw, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return f, penstock.Wrap(penstock.Corrupt, "read "+path, err)
	}
	if f.Format != clusterFormat {
		return f, penstock.Errorf(penstock.Conflict, "read "+path, "format %d is not known to this version", f.Format)
	}
	return f, nil
}

func fillCluster(f clusterFile) clusterFile {
	f.Format = clusterFormat
	f.ID, f.PartitionKey = or(f.ID, randomHex(16)), or(f.PartitionKey, randomHex(16))
	return f
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

func (f clusterFile) cluster() (penstock.Cluster, error) {
	key, err := penstock.ParsePartitionKey(f.PartitionKey)
	if err != nil {
		return penstock.Cluster{}, err
	}
	c := penstock.Cluster{ID: f.ID, Key: key, Partitions: f.Partitions}
	return c, c.Validate()
}

// writeFileSynced replaces a small JSON file whole: whoever reads it sees the old one or the new one, also after a crash.
func writeFileSynced(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(raw, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
