// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package spelling finds the name that was probably meant.
package spelling

import (
	"slices"
	"strings"
)

// Nearest is the candidate with the fewest edits from name, the first of several, and
// whether it is near enough to be suggested: at most one edit for every three
// characters, two in a short name. Upper case, points, dashes and underscores do not
// count as edits.
func Nearest(name string, candidates []string) (nearest string, near bool) {
	if len(candidates) == 0 {
		return "", false
	}
	plain := normalize(name)
	distance := func(candidate string) int { return edits(plain, normalize(candidate)) }
	nearest = slices.MinFunc(candidates, func(a, b string) int { return distance(a) - distance(b) })
	return nearest, distance(nearest) <= max(2, len(plain)/3)
}

var separators = strings.NewReplacer("_", "", ".", "", "-", "")

func normalize(name string) string { return separators.Replace(strings.ToLower(name)) }

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitution := diagonal
			if a[i] != b[j] {
				substitution++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitution, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
