package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	npmPackage = "vega-datasets"
	npmVersion = "3.2.1"
	inPackage  = "package/data/flights-3m.parquet"
)

// prepare fetches the Parquet file and makes a line of JSON of each row, if that was not done before. It returns the file
// of lines and how many they are, and leaves a DuckDB open in which the view flights is the Parquet file.
func (e *example) prepare(ctx context.Context) (lines string, rows int64, err error) {
	if err := os.MkdirAll(e.cache, 0o755); err != nil {
		return "", 0, err
	}
	parquet, err := e.fetch(ctx)
	if err != nil {
		return "", 0, fmt.Errorf("fetch %s %s: %w", npmPackage, npmVersion, err)
	}
	if e.db, err = sql.Open("duckdb", ""); err != nil {
		return "", 0, err
	}
	e.db.SetMaxOpenConns(1)
	// The row's number is its id: the file has no column that could be one.
	if _, err := e.db.ExecContext(ctx, "create view flights as select file_row_number + 1 as id, date, delay, distance, origin, destination"+
		" from read_parquet("+quote(parquet)+", file_row_number = true)"); err != nil {
		return "", 0, err
	}
	if err := e.db.QueryRowContext(ctx, "select count(*) from flights").Scan(&rows); err != nil {
		return "", 0, err
	}
	lines, err = e.convert(ctx)
	return lines, rows, err
}

func (e *example) convert(ctx context.Context) (string, error) {
	path := filepath.Join(e.cache, "flights-3m.ndjson")
	if exists(path) {
		return path, nil
	}
	part := path + ".part"
	if _, err := e.db.ExecContext(ctx, "copy (select id, strftime(date, '%Y-%m-%dT%H:%M:%SZ') as date, delay, distance, origin, destination"+
		" from flights order by id) to "+quote(part)+" (format json)"); err != nil {
		return "", fmt.Errorf("convert: %w", err)
	}
	return path, os.Rename(part, path)
}

// fetch returns the Parquet file, taken from the package as npm delivers it.
func (e *example) fetch(ctx context.Context) (string, error) {
	path := filepath.Join(e.cache, filepath.Base(inPackage))
	if exists(path) {
		return path, nil
	}
	c := exec.CommandContext(ctx, "npm", "pack", "--silent", "--pack-destination", e.cache, npmPackage+"@"+npmVersion)
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return "", err
	}
	archive := filepath.Join(e.cache, npmPackage+"-"+npmVersion+".tgz")
	if err := extract(archive, inPackage, path); err != nil {
		return "", err
	}
	return path, os.Remove(archive)
}

// extract copies one member of a compressed archive to a file, which appears whole or not at all.
func extract(archive, member, path string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	members := tar.NewReader(unzipped)
	for {
		header, err := members.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: no %s", archive, member)
		}
		if err != nil {
			return err
		}
		if header.Name == member {
			break
		}
	}
	out, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	_, err = io.Copy(out, members)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
