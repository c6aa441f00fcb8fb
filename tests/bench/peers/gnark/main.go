// Command gnark is gnark and gnark-crypto on the cases of the prover bench.
//
// Usage: gnark CASE SCALARS LOG_SIZE INPUTS; the protocol is that of prover/crates/bench/README.md.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/consensys/gnark-crypto/ecc"
	"github.com/consensys/gnark-crypto/ecc/bn254"
	"github.com/consensys/gnark-crypto/ecc/bn254/fp"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr"
	"github.com/consensys/gnark-crypto/ecc/bn254/fr/fft"
	"github.com/consensys/gnark/logger"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// report is what one run prints; witness seconds are not part of seconds.
type report struct {
	Seconds        float64 `json:"seconds"`
	WitnessSeconds float64 `json:"witness_seconds,omitempty"`
}

// timed gives the seconds that f takes.
func timed(f func()) report {
	start := time.Now()
	f()
	return report{Seconds: time.Since(start).Seconds()}
}

// serve prints the result of a run that the caller made, then calls run once for every line read.
func serve(result string, run func() report) {
	out := json.NewEncoder(os.Stdout)
	check(out.Encode(map[string]string{"result": result}))
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		runtime.GC() // what earlier runs left is not this run's work
		check(out.Encode(run()))
	}
}

// read gives count values of 32 bytes.
func read(inputs, name string, count int) [][32]byte {
	file, err := os.Open(filepath.Join(inputs, name))
	check(err)
	defer file.Close()
	in := bufio.NewReaderSize(file, 1<<20)
	out := make([][32]byte, count)
	for i := range out {
		_, err := io.ReadFull(in, out[i][:])
		check(err)
	}
	return out
}

func coordinates(inputs, name string, count int) []fp.Element {
	out := make([]fp.Element, count)
	for i, bytes := range read(inputs, name, count) {
		value, err := fp.LittleEndian.Element(&bytes)
		check(err)
		out[i] = value
	}
	return out
}

func scalars(inputs, kind string, count int) []fr.Element {
	out := make([]fr.Element, count)
	for i, bytes := range read(inputs, "scalars."+kind, count) {
		value, err := fr.LittleEndian.Element(&bytes)
		check(err)
		out[i] = value
	}
	return out
}

func hexCoordinates(values ...fp.Element) string {
	out := ""
	for _, value := range values {
		var bytes [32]byte
		fp.LittleEndian.PutElement(&bytes, value)
		out += hex.EncodeToString(bytes[:])
	}
	return out
}

func msmG1(kind string, n int, inputs string) {
	xy := coordinates(inputs, "bases.g1", 2*n)
	bases := make([]bn254.G1Affine, n)
	for i := range bases {
		bases[i] = bn254.G1Affine{X: xy[2*i], Y: xy[2*i+1]}
	}
	s := scalars(inputs, kind, n)
	config := ecc.MultiExpConfig{NbTasks: runtime.GOMAXPROCS(0)}
	var sum bn254.G1Affine
	run := func() { _, err := sum.MultiExp(bases, s, config); check(err) }
	run()
	serve(hexCoordinates(sum.X, sum.Y), func() report { return timed(run) })
}

func msmG2(kind string, n int, inputs string) {
	xy := coordinates(inputs, "bases.g2", 4*n)
	bases := make([]bn254.G2Affine, n)
	for i := range bases {
		bases[i].X = bn254.E2{A0: xy[4*i], A1: xy[4*i+1]}
		bases[i].Y = bn254.E2{A0: xy[4*i+2], A1: xy[4*i+3]}
	}
	s := scalars(inputs, kind, n)
	config := ecc.MultiExpConfig{NbTasks: runtime.GOMAXPROCS(0)}
	var sum bn254.G2Affine
	run := func() { _, err := sum.MultiExp(bases, s, config); check(err) }
	run()
	serve(hexCoordinates(sum.X.A0, sum.X.A1, sum.Y.A0, sum.Y.A1), func() report { return timed(run) })
}

// ntt goes from evaluations on the subgroup to evaluations on its odd coset, as gnark's prover does: without a bit reversal.
func ntt(n int, inputs string) {
	shift, err := fft.Generator(uint64(2 * n))
	check(err)
	domain := fft.NewDomain(uint64(n), fft.WithShift(shift))
	values := scalars(inputs, "random", n)
	tasks := fft.WithNbTasks(runtime.GOMAXPROCS(0))
	run := func() {
		domain.FFTInverse(values, fft.DIF, tasks)
		domain.FFT(values, fft.DIT, fft.OnCoset(), tasks)
	}
	run()
	var sum, seven fr.Element
	seven.SetUint64(7)
	for i := n - 1; i >= 0; i-- {
		sum.Mul(&sum, &seven).Add(&sum, &values[i])
	}
	var bytes [32]byte
	fr.LittleEndian.PutElement(&bytes, sum)
	serve(hex.EncodeToString(bytes[:]), func() report { return timed(run) })
}

func main() {
	logger.Disable()
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: gnark CASE SCALARS LOG_SIZE INPUTS")
		os.Exit(2)
	}
	name, kind, inputs := os.Args[1], os.Args[2], os.Args[4]
	logSize, err := strconv.Atoi(os.Args[3])
	check(err)
	switch n := 1 << logSize; name {
	case "msm_g1":
		msmG1(kind, n, inputs)
	case "msm_g2":
		msmG2(kind, n, inputs)
	case "ntt":
		ntt(n, inputs)
	default:
		prover(name, kind, n)
	}
}
