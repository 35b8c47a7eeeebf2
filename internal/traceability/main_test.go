// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTraceability_IsCurrent(t *testing.T) {
	t.Parallel()
	tests, err := testNames("../..")
	require.NoError(t, err)
	page, err := render(requirements, tests)
	require.NoError(t, err)
	committed, err := os.ReadFile("../../docs/traceability.md")
	require.NoError(t, err)
	assert.Equal(t, page, string(committed), "run make generate")
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
