// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTraceability_IsCurrent(t *testing.T) {
	t.Parallel()
	pages, err := generate("../..")
	require.NoError(t, err)
	for path, page := range pages {
		committed, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, page, string(committed), "%s: run make generate", path)
	}
}

func TestTraceability_SentenceWithoutATestFails(t *testing.T) {
	t.Parallel()
	_, err := render("1-2,x | a | b | real |\n1 | a | b | double | TestAbsent_\n3 | a | b | perhaps |\n4 | a\n5 | a | b | real |", nil)
	for _, want := range []string{
		`numbers "1-2,x"`, "there is no test TestAbsent_", `verdict "perhaps"`, "line 4: has 2 fields", "requirement 5 has no test",
		"requirement 98 is there 0 times",
	} {
		assert.ErrorContains(t, err, want)
	}
}

func TestBadges_FileWithoutATestFails(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "unlisted.yaml"), nil, 0o600))
	_, err := badges("a.yaml | real | TestAbsent_\na.yaml | double |\nb.yaml | perhaps | TestX\nc.yaml", folder, map[string]string{"TestX": "e2e"})
	for _, want := range []string{
		"there is no test TestAbsent_", "line 2: a.yaml is there twice", "a.yaml has no test", `verdict "perhaps"`, "line 4: has 1 fields",
		"unlisted.yaml is not there: add it", "b.yaml: no such file",
	} {
		assert.ErrorContains(t, err, want)
	}
}

func TestWithBadges_IsIdempotent(t *testing.T) {
	t.Parallel()
	of := map[string]badge{"a.yaml": {"real", "[TestX](../e2e)"}, "b.yaml": {"double", "[TestY](../e2e)"}}
	page := "| file | use it for | shown |\n|---|---|---|\n| **first** | | |\n| [a.yaml](a.yaml), [b.yaml](b.yaml) | both |\n| `VAR` | 1 | x |\n"
	want := "| file | use it for | shown |\n|---|---|---|\n| **first** | | |\n" +
		"| [a.yaml](a.yaml), [b.yaml](b.yaml) | both | *real*: [TestX](../e2e); *double*: [TestY](../e2e) |\n| `VAR` | 1 | x |\n"
	assert.Equal(t, want, withBadges(page, of))
	assert.Equal(t, want, withBadges(want, of))
}
