// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The ways in which a row of docs/reliability.md can be repeated.
var (
	byFaults = regexp.MustCompile("^`make faults RUN=(\\w+)`$")
	byGoTest = regexp.MustCompile("^`go test (?:-tags e2e )?-run '\\^(\\w+)\\$(?:/[^']+)?' (\\./[^ ]+?)/?`$")
	byTarget = regexp.MustCompile("^`make ([a-z0-9-]+)(?: [A-Z_]+=\\w+)?`$")
)

// Nothing stands in docs/reliability.md that no test repeats, and no test of a
// fault is left out of it.
func TestEveryRowOfReliabilityIsATest(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/reliability.md")
	require.NoError(t, err)
	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	named, scenarios := map[string]bool{}, map[string]bool{}
	rows, _, _ := strings.Cut(string(page), "\n## The same totals in every system\n") // which has a table of another kind, and a test
	for line := range strings.Lines(rows) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| scenario") {
			continue
		}
		if !assert.Len(t, cells, 5, "a row has five cells: %s", line) {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
			assert.NotEmpty(t, cells[i], line)
		}
		assert.False(t, scenarios[cells[0]], "another row has this scenario: %s", line)
		scenarios[cells[0]] = true
		command := cells[4]
		if found := byFaults.FindStringSubmatch(command); found != nil {
			named[found[1]] = true
			assert.Contains(t, testsIn(t, "."), found[1], line)
		} else if found := byGoTest.FindStringSubmatch(command); found != nil {
			assert.Contains(t, testsIn(t, filepath.Join("..", found[2])), found[1], line)
		} else if found := byTarget.FindStringSubmatch(command); found != nil {
			assert.Contains(t, string(makefile), "\n"+found[1]+":", line)
		} else {
			t.Errorf("no command that repeats the row: %s", line)
		}
	}
	for test := range testsIn(t, ".") {
		if strings.HasPrefix(test, "TestFault") {
			assert.True(t, named[test], "%s has no row in docs/reliability.md", test)
		}
	}
}

// testsIn are the names of the tests and fuzz targets of a folder.
func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && function.Recv == nil {
				names[function.Name.Name] = true
			}
		}
	}
	return names
}
