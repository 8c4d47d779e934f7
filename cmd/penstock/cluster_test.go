package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"penstock"
)

func TestClusterIsChosenOnce(t *testing.T) {
	dir := t.TempDir()
	first, err := openCluster(dir, clusterFile{Partitions: 8})
	if err != nil || first.Validate() != nil {
		t.Fatal(first, err)
	}
	again, err := openCluster(dir, clusterFile{Partitions: 8})
	if err != nil || again != first {
		t.Errorf("%v is not %v (%v)", again, first, err)
	}
	for want, other := range map[string]clusterFile{
		"partitions are 16": {Partitions: 16},
		"cluster is 0001":   {Partitions: 8, ID: "000102030405060708090a0b0c0d0e0f"},
		"partition key is":  {Partitions: 8, PartitionKey: "11111111111111111111111111111111"},
	} {
		if _, err := openCluster(dir, other); !penstock.Is(err, penstock.Conflict) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, clusterName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: the file holds a secret", info.Mode(), err)
	}
}

func TestClusterOfTheConfiguration(t *testing.T) {
	want := clusterFile{Partitions: 4, ID: "000102030405060708090a0b0c0d0e0f", PartitionKey: "22222222222222222222222222222222"}
	c, err := openCluster(t.TempDir(), want)
	if err != nil || c.ID != want.ID || c.Key[0] != 0x22 || c.Partitions != 4 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestClusterFileOfANewerVersionIsRefused(t *testing.T) {
	dir := t.TempDir()
	for text, code := range map[string]penstock.Code{`{"format":2}`: penstock.Conflict, `{"format":`: penstock.Corrupt} {
		if err := os.WriteFile(filepath.Join(dir, clusterName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openCluster(dir, clusterFile{Partitions: 8}); !penstock.Is(err, code) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
