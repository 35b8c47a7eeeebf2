// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// state is a component: records in order, which are its live state.
type state struct {
	mutex   sync.Mutex
	records [][]byte
}

func (s *state) add(j *Journal, record string) error {
	s.mutex.Lock()
	s.records = append(s.records, []byte(record))
	s.mutex.Unlock()
	j.Append([]byte(record))
	return j.Sync()
}

func (s *state) snapshot() ([][]byte, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([][]byte(nil), s.records...), nil
}

func texts(records [][]byte) (out []string) {
	for _, record := range records {
		out = append(out, string(record))
	}
	return out
}

func TestJournal_SyncedRecordsAreRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	s := &state{}
	j, err := Create(path, s.snapshot)
	require.NoError(t, err)
	for _, record := range []string{"a", "b", "c"} {
		require.NoError(t, s.add(j, record))
		records, damaged, err := Read(path) // as after a kill
		require.NoError(t, err)
		assert.Empty(t, damaged)
		assert.Equal(t, texts(s.records), texts(records))
	}
	require.NoError(t, j.Close())
	require.ErrorContains(t, func() error { j.Append([]byte("d")); return j.Sync() }(), "closed")
}

func TestJournal_ConcurrentRecordsAreAllRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	s := &state{}
	j, err := Create(path, s.snapshot)
	require.NoError(t, err)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for k := range 20 {
				var err error
				if k == 10 {
					err = j.Compact()
				}
				assert.NoError(t, errors.Join(err, s.add(j, fmt.Sprintf("%d/%d", i, k))))
			}
		})
	}
	group.Wait()
	records, _, err := Read(path)
	require.NoError(t, err)
	assert.Subset(t, texts(records), texts(s.records))
	require.NoError(t, j.Close())
}

// A file that has grown holds the live state again, and no more.
func TestJournal_RewriteBoundsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j, err := Create(path, func() ([][]byte, error) { return [][]byte{[]byte("live")}, nil })
	require.NoError(t, err)
	record := []byte(strings.Repeat("x", 100_000))
	for range 50 {
		j.Append(record)
		require.NoError(t, j.Sync())
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.LessOrEqual(t, info.Size(), int64(minRewrite))
	}
	require.NoError(t, j.Close())
}

// A disk that refused a write gets the live state with the next one.
func TestJournal_FailedWriteIsRepairedByTheNext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	s := &state{}
	j, err := Create(path, s.snapshot)
	require.NoError(t, err)
	require.NoError(t, s.add(j, "a"))
	require.NoError(t, j.file.Close()) // so that the write fails
	require.Error(t, s.add(j, "b"))
	require.NoError(t, s.add(j, "c"))
	require.NoError(t, s.add(j, "d"))
	records, damaged, err := Read(path)
	require.NoError(t, err)
	assert.Empty(t, damaged)
	assert.Equal(t, []string{"a", "b", "c", "d"}, texts(records))
	require.NoError(t, j.Close())
}

func TestDecode_Damage(t *testing.T) {
	t.Parallel()
	complete := appendFrame(appendFrame(appendFrame([]byte(magic), []byte("one")), []byte("two")), []byte("three"))
	flipped := bytes.Clone(complete)
	flipped[bytes.Index(flipped, []byte("two"))] ^= 1
	at := func(record string, length uint32) []byte {
		changed := bytes.Clone(complete)
		binary.LittleEndian.PutUint32(changed[bytes.Index(changed, []byte(record))-frameHeader:], length)
		return changed
	}
	lengthened := func(length uint32) []byte { return at("two", length) }
	lengthenedLast := func(length uint32) []byte { return at("three", length) }
	for _, one := range []struct {
		name    string
		content []byte
		want    []string
		intact  bool
	}{
		{"empty", nil, nil, true},
		{"cut in the magic", []byte(magic[:3]), nil, true},
		{"another file", []byte("something else"), nil, false},
		{"complete", complete, []string{"one", "two", "three"}, true},
		{"cut at the end", complete[:len(complete)-2], []string{"one", "two"}, true},
		{"cut in a header", complete[:len(complete)-10], []string{"one", "two"}, true},
		{"zeros at the end", append(bytes.Clone(complete), make([]byte, 20)...), []string{"one", "two", "three"}, true},
		{"zero length, then data", append(append(bytes.Clone(complete), make([]byte, 8)...), 'x'), []string{"one", "two", "three"}, false},
		{"a record changed", flipped, []string{"one", "three"}, false},
		{"the last record changed", append(bytes.Clone(complete[:len(complete)-1]), 'X'), []string{"one", "two"}, false},
		{"a length too short", lengthened(1), []string{"one", "three"}, false},
		{"a length beyond the end", lengthened(1000), []string{"one", "three"}, false},
		{"a length no record has", lengthened(maxRecord + 1), []string{"one", "three"}, false},
		{"the last length no record has", lengthenedLast(maxRecord + 1), []string{"one", "two"}, false},
	} {
		records, intact := decode(one.content)
		assert.Equal(t, one.want, texts(records), one.name)
		assert.Equal(t, one.intact, intact, one.name)
	}
}

func TestRead_DamagedFileIsCopied(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	content := []byte("something else")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	records, damaged, err := Read(path)
	require.NoError(t, err)
	assert.Empty(t, records)
	kept, err := os.ReadFile(damaged)
	require.NoError(t, err)
	assert.Equal(t, content, kept)
}

func TestRead_TooLargeIsNotRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, maxFile+1)) // takes no space
	_, _, err := Read(path)
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, "1073741824")
}

func TestRead_NotARegularFile(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, _, err := Read(directory)
	require.ErrorContains(t, err, directory+": ")
	require.ErrorContains(t, err, "regular file")
}

// A link in place of the temporary file is replaced, and what it names is left alone.
func TestCreate_DoesNotFollowALink(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	path, other := filepath.Join(directory, "journal"), filepath.Join(directory, "other")
	require.NoError(t, os.WriteFile(other, []byte("other"), 0o600))
	require.NoError(t, os.Symlink(other, path+".tmp"))
	j, err := Create(path, func() ([][]byte, error) { return [][]byte{[]byte("live")}, nil })
	require.NoError(t, err)
	require.NoError(t, j.Close())
	content, err := os.ReadFile(other)
	require.NoError(t, err)
	assert.Equal(t, "other", string(content))
	info, err := os.Lstat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
}

func FuzzDecode(f *testing.F) {
	f.Add(appendFrame(appendFrame([]byte(magic), []byte("one")), []byte("two")))
	f.Add([]byte(magic + "\xff\xff\xff\xff\x00\x00\x00\x00x"))
	f.Fuzz(func(t *testing.T, content []byte) {
		records, intact := decode(content)
		again := []byte(magic)
		for _, record := range records {
			again = appendFrame(again, record)
		}
		if intact && len(content) >= len(magic) && !bytes.HasPrefix(content, again) && len(records) > 0 {
			// The last record alone may be left out of an intact file.
			t.Errorf("records are not a prefix of the file")
		}
	})
}
