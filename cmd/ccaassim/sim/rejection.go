// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"hash/fnv"
	"math"
	"strconv"
	"strings"
)

// Rejection says which topics are rejected: a share of all, or those that contain
// one of the texts.
type Rejection struct {
	Share float64
	Texts []string
}

// String is the rejection as its flag takes it.
func (r Rejection) String() string {
	if r.Share > 0 {
		return strconv.FormatFloat(r.Share, 'g', -1, 64)
	}
	return strings.Join(r.Texts, ",")
}

// Set reads what String writes.
func (r *Rejection) Set(text string) error {
	*r = Rejection{}
	if text == "" {
		return nil
	}
	if share, err := strconv.ParseFloat(text, 64); err == nil {
		r.Share = share
		return nil
	}
	r.Texts = strings.Split(text, ",")
	return nil
}

func (r Rejection) rejects(topic string) bool {
	for _, text := range r.Texts {
		if strings.Contains(topic, text) {
			return true
		}
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(topic)) // never fails
	return float64(hash.Sum32()) < r.Share*math.MaxUint32
}
