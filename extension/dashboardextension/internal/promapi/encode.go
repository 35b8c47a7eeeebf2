// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package promapi

import (
	"bufio"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/prometheus/prometheus/util/stats"
)

// result is the answer to a request: a value of the query language, or data.
type result struct {
	value    parser.Value
	stats    stats.QueryStats
	data     any
	warnings annotations.Annotations
	release  func() // what the value is held by; nil if nothing
}

func (r result) close() {
	if r.release != nil {
		r.release()
	}
}

// maxNotes is how many warnings, and how many infos, an answer has.
const maxNotes = 10

// write writes the answer as it encodes it, so that there is no second copy of a large one.
func (r result) write(w http.ResponseWriter, query string) error {
	w.Header().Set("Content-Type", "application/json")
	out := encoder{Writer: bufio.NewWriterSize(w, 16<<10)}
	out.text(`{"status":"success"`)
	switch {
	case r.value != nil:
		out.text(`,"data":{"resultType":`)
		out.json(r.value.Type())
		out.text(`,"result":`)
		out.value(r.value)
		if r.stats != nil {
			out.text(`,"stats":`)
			out.json(r.stats)
		}
		out.text("}")
	case r.data != nil:
		out.text(`,"data":`)
		out.data(r.data)
	}
	warnings, infos := r.warnings.AsStrings(query, maxNotes, maxNotes)
	out.notes("warnings", warnings)
	out.notes("infos", infos)
	out.text("}")
	return errors.Join(out.err, out.Flush())
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	f, ok := errors.AsType[failure](err)
	if !ok {
		f = failure{err, "internal", http.StatusInternalServerError}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	_ = json.NewEncoder(w).Encode(map[string]string{ // a client that has left needs no answer
		"status": "error", "errorType": f.kind, "error": f.Error(),
	})
}

// encoder writes JSON as Prometheus does: times are seconds, values are text.
type encoder struct {
	*bufio.Writer
	scratch []byte
	err     error // of json; those of Writer are kept by it
}

func (e *encoder) text(s string) { _, _ = e.WriteString(s) }

func (e *encoder) json(v any) {
	encoded, err := json.Marshal(v)
	if err != nil {
		e.err = err
		encoded = []byte("null")
	}
	_, _ = e.Write(encoded)
}

func (e *encoder) notes(name string, notes []string) {
	if len(notes) > 0 {
		e.text(`,"` + name + `":`)
		e.json(notes)
	}
}

func (e *encoder) value(value parser.Value) {
	switch v := value.(type) {
	case promql.Matrix:
		list(e, "", v, e.series)
	case promql.Vector:
		list(e, "", v, e.sample)
	case promql.Scalar:
		e.point(v.T, v.V)
	case promql.String:
		e.text("[")
		e.time(v.T)
		e.text(",")
		e.json(v.V)
		e.text("]")
	}
}

// list writes an array; with a name, as a further member of an object, if it has elements.
func list[T any](e *encoder, name string, all []T, element func(T)) {
	if name != "" {
		if len(all) == 0 {
			return
		}
		e.text(`,"` + name + `":`)
	}
	separator := "["
	for _, one := range all {
		e.text(separator)
		element(one)
		separator = ","
	}
	if len(all) == 0 {
		e.text("[")
	}
	e.text("]")
}

func (e *encoder) series(s promql.Series) {
	e.metric(s.Metric)
	list(e, "values", s.Floats, func(p promql.FPoint) { e.point(p.T, p.F) })
	list(e, "histograms", s.Histograms, func(p promql.HPoint) { e.histogramPoint(p.T, p.H) })
	e.text("}")
}

func (e *encoder) sample(s promql.Sample) {
	e.metric(s.Metric)
	if s.H == nil {
		e.text(`,"value":`)
		e.point(s.T, s.F)
	} else {
		e.text(`,"histogram":`)
		e.histogramPoint(s.T, s.H)
	}
	e.text("}")
}

func (e *encoder) metric(l labels.Labels) {
	e.text(`{"metric":`)
	e.json(l)
}

func (e *encoder) point(millis int64, value float64) {
	e.text("[")
	e.time(millis)
	e.text(",")
	e.float(value)
	e.text("]")
}

func (e *encoder) histogramPoint(millis int64, h *histogram.FloatHistogram) {
	e.text("[")
	e.time(millis)
	e.text(`,{"count":`)
	e.float(h.Count)
	e.text(`,"sum":`)
	e.float(h.Sum)
	var buckets []histogram.Bucket[float64]
	for it := h.AllBucketIterator(); it.Next(); {
		if bucket := it.At(); bucket.Count != 0 {
			buckets = append(buckets, bucket)
		}
	}
	list(e, "buckets", buckets, e.bucket)
	e.text("}]")
}

func (e *encoder) bucket(b histogram.Bucket[float64]) {
	e.text("[" + boundaries(b) + ",")
	e.float(b.Lower)
	e.text(",")
	e.float(b.Upper)
	e.text(",")
	e.float(b.Count)
	e.text("]")
}

// boundaries is which ends of a bucket belong to it: 0 the upper, 1 the lower, 2 none, 3 both.
func boundaries(b histogram.Bucket[float64]) string {
	switch {
	case b.LowerInclusive && b.UpperInclusive:
		return "3"
	case b.LowerInclusive:
		return "1"
	case b.UpperInclusive:
		return "0"
	default:
		return "2"
	}
}

// time writes milliseconds as seconds, exactly.
func (e *encoder) time(millis int64) {
	e.scratch = e.scratch[:0]
	if millis < 0 {
		e.scratch = append(e.scratch, '-')
		millis = -millis
	}
	e.scratch = strconv.AppendInt(e.scratch, millis/1000, 10)
	if rest := millis % 1000; rest != 0 {
		e.scratch = append(e.scratch, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
	}
	_, _ = e.Write(e.scratch)
}

// float writes a value as text, since JSON has neither NaN nor infinity.
func (e *encoder) float(f float64) {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	e.scratch = append(strconv.AppendFloat(append(e.scratch[:0], '"'), f, format, -1, 64), '"')
	_, _ = e.Write(e.scratch)
}

// data writes what is not a value of the query language.
func (e *encoder) data(v any) {
	if all, ok := v.([]exemplar.QueryResult); ok {
		list(e, "", all, e.exemplars)
		return
	}
	e.json(v)
}

func (e *encoder) exemplars(of exemplar.QueryResult) {
	e.text(`{"seriesLabels":`)
	e.json(of.SeriesLabels)
	e.text(`,"exemplars":`)
	list(e, "", of.Exemplars, e.exemplar)
	e.text("}")
}

func (e *encoder) exemplar(x exemplar.Exemplar) {
	e.text(`{"labels":`)
	e.json(x.Labels)
	e.text(`,"value":`)
	e.float(x.Value)
	e.text(`,"timestamp":`)
	e.time(x.Ts)
	e.text("}")
}
