// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package vocabulary

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

var (
	extensions  = []string{".go", ".md", ".yaml", ".yml", ".ts", ".tsx", ".sh", ".mjs", ".css"}
	directories = []string{".git", "node_modules", "build", "bin", "data", "state", "assets", "vocabulary", "testdata"} // not checked
)

func TestTree_HasNoRetiredWord(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		name = filepath.ToSlash(name)
		if entry.IsDir() && slices.Contains(directories, entry.Name()) {
			return fs.SkipDir
		}
		if entry.IsDir() || !slices.Contains(extensions, filepath.Ext(path)) && entry.Name() != "Makefile" {
			return nil
		}
		files++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			for _, term := range Find(line) {
				t.Errorf("%s:%d: %q is retired; write %s: %s", name, number, term.Expression, term.Instead, strings.TrimSpace(line))
			}
		}
		return nil
	})
	require.NoError(t, err)
	assert.Greater(t, files, 100)
}

func TestFind(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]int{
		"The log tells of the first.":       1,
		"Whole sentences told of outboxes.": 2, // outboxes is another word
		"a whole number of whole hours":     0,
		"the token is had":                  1,
		"reading stood still":               1,
		"retell, wholesale, unheard":        0,
		"tell the two apart":                1,
		"tell them apart":                   0,
	} {
		assert.Len(t, Find(line), want, line)
	}
}
