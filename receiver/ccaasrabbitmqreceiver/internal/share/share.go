// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package share divides partitions among the members of a group. Every member calculates
// its own share from the numbers of all members, so that the shares add up to all partitions.
package share

import (
	"maps"
	"slices"
)

// Of returns the number of partitions that a member has; 0 for one that is not among the
// members, which are in order.
func Of(partitions int, members []int, member int) int {
	rank, found := slices.BinarySearch(members, member)
	if !found {
		return 0
	}
	quota := partitions / len(members)
	if rank < partitions%len(members) {
		quota++
	}
	return quota
}

// Surplus returns the partitions that a member releases: those with the highest numbers.
func Surplus(owned map[int32]bool, quota int) []int32 {
	if len(owned) <= quota {
		return nil
	}
	return slices.Sorted(maps.Keys(owned))[quota:]
}

// Candidates returns all partitions in the order in which a member tries to take them:
// members begin at different ones.
func Candidates(partitions int, members []int, member int) []int32 {
	rank, found := slices.BinarySearch(members, member)
	if !found {
		return nil
	}
	first := partitions * rank / len(members)
	candidates := make([]int32, partitions)
	for i := range candidates {
		candidates[i] = int32((first + i) % partitions) //nolint:gosec // at most 128
	}
	return candidates
}
