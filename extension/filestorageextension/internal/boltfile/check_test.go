// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package boltfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

var options = &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoSync: true}

// database gives the bytes of one with branches, overflowing values, a nested bucket and
// free pages.
func database(t testing.TB, keys int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, options)
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
			for _, name := range []string{"default", "other"} {
				bucket, err := tx.CreateBucketIfNotExists([]byte(name))
				if err != nil {
					return err
				}
				for range keys {
					if err := bucket.Put(fmt.Appendf(nil, "key/%d", random.IntN(2*keys)), make([]byte, random.IntN(300))); err != nil {
						return err
					}
				}
				if err := bucket.Put([]byte("large"), make([]byte, 20_000)); err != nil {
					return err
				}
				keys /= 10 // the other one is small
			}
			keys *= 100
			return nil
		}))
	}
	require.NoError(t, db.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

func check(content []byte) error { return Check(bytes.NewReader(content), int64(len(content))) }

func TestSoundDatabasesPass(t *testing.T) {
	t.Parallel()
	for _, keys := range []int{0, 1, 10, 1_000, 3_000} {
		assert.NoError(t, check(database(t, keys)), "%d keys", keys)
	}
}

// Files that were written and deleted in for long are sound, too.
func TestSoundDatabasesPass_AfterManyChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, options)
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 300 {
		require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte("default"))
			if err != nil {
				return err
			}
			for range 1 + random.IntN(60) {
				key := fmt.Appendf(nil, "key/%d", random.IntN(2_000))
				if random.IntN(5) < 2+round/100 {
					err = bucket.Delete(key)
				} else {
					err = bucket.Put(key, make([]byte, random.IntN(900)))
				}
				if err != nil {
					return err
				}
			}
			return nil
		}))
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, check(content), "round %d", round)
	}
	require.NoError(t, db.Close())
}

// A key of a branch that differs from the first key of its child passes bbolt's own check
// and keeps the order, but a write to the child then leaves a page in use that is free.
func TestBranchKeyOfAnotherChildIsFound(t *testing.T) {
	t.Parallel()
	content := database(t, 1_000)
	m, err := readMeta(bytes.NewReader(content))
	require.NoError(t, err)
	sound := &checker{file: bytes.NewReader(content), meta: m, seen: map[uint64]bool{}}
	require.NoError(t, sound.tree(m.root, bucketElement, nil, nil))
	changed := 0
	for page := 2; page < int(m.pages); page++ {
		at := page * int(m.pageSize)
		if !sound.seen[uint64(page)] || binary.LittleEndian.Uint16(content[at+8:]) != branchPage {
			continue
		}
		count := int(binary.LittleEndian.Uint16(content[at+10:]))
		for i := 1; i < count; i++ {
			element := at + headerSize + i*elementSize
			last := element + int(binary.LittleEndian.Uint32(content[element:])) + int(binary.LittleEndian.Uint32(content[element+4:])) - 1
			damaged := bytes.Clone(content)
			damaged[last]-- // a smaller key, which is above those of the child before, or not
			changed++
			require.Error(t, check(damaged), "page %d, element %d", page, i)
		}
	}
	assert.Greater(t, changed, 5)
}

func TestACutIsFound(t *testing.T) {
	t.Parallel()
	content := database(t, 1_000)
	m, err := readMeta(bytes.NewReader(content))
	require.NoError(t, err)
	used := int(m.pages) * int(m.pageSize)
	for _, size := range []int{1, 100, 4096, used / 2, used - 4096, used - 1} {
		assert.Error(t, check(content[:size]), "%d of %d bytes", size, used)
	}
}

// Each bit at the beginning of each page flips, of a database whose buckets are inline or
// have pages: the headers of pages, elements, buckets and inline pages. bbolt ends this
// process where it cannot use what passes.
func TestWhatPassesCanBeUsed_EachBitOfTheStructure(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	for _, content := range [][]byte{inline(t), database(t, 40)} {
		m, err := readMeta(bytes.NewReader(content))
		require.NoError(t, err)
		found := 0
		for page := range min(int(m.pages), 12) {
			for bit := range 8 * 112 {
				damaged := bytes.Clone(content)
				damaged[page*int(m.pageSize)+bit/8] ^= 1 << (bit % 8)
				if check(damaged) != nil {
					found++
					continue
				}
				require.NoError(t, os.WriteFile(path, damaged, 0o600))
				use(t, path)
			}
		}
		assert.Greater(t, found, 500)
	}
}

// inline is a database with a bucket so small that it has no page of its own.
func inline(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, options)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucket([]byte("default"))
		if err != nil {
			return err
		}
		return errors.Join(bucket.Put([]byte("key/1"), []byte("one")), bucket.Put([]byte("key/2"), []byte("two")))
	}))
	require.NoError(t, db.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

// What passes, bbolt can open, read and write. Where that is not so, bbolt ends this
// process.
func TestWhatPassesCanBeUsed(t *testing.T) {
	t.Parallel()
	content := database(t, 1_000)
	m, err := readMeta(bytes.NewReader(content))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "db")
	passed := 0
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 0))
		damaged := bytes.Clone(content)
		for range 1 + random.IntN(4) {
			page := int(m.pageSize) * random.IntN(int(m.pages))
			damaged[page+random.IntN([]int{16, 64, 4096}[random.IntN(3)])] ^= 1 << random.IntN(8)
		}
		if check(damaged) != nil {
			continue
		}
		passed++
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		use(t, path)
	}
	assert.Greater(t, passed, 5)
	assert.Less(t, passed, 145)
}

func use(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, options)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists([]byte("default"))
		if err != nil {
			return err
		}
		if err := bucket.ForEach(func(_, _ []byte) error { return nil }); err != nil {
			return err
		}
		return bucket.Put([]byte("key/1"), make([]byte, 10_000))
	}))
	require.NoError(t, db.Close())
}

// What passes, bbolt can open, read and write.
func FuzzCheck(f *testing.F) {
	f.Add(inline(f), 4096*3+71, byte(64))
	f.Add(database(f, 10), 100, byte(1))
	f.Add(database(f, 1_000), 4096*3+8, byte(2))
	f.Fuzz(func(t *testing.T, content []byte, at int, bits byte) {
		if len(content) == 0 {
			return
		}
		content = bytes.Clone(content)
		content[uint(at)%uint(len(content))] ^= bits //nolint:gosec // any place will do
		if check(content) != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "db")
		require.NoError(t, os.WriteFile(path, content, 0o600))
		use(t, path)
	})
}
