pragma circom 2.1.0;

// Decomposes a value into bits and gives it back; each bit is 0 or 1.
template Bits(n) {
    signal input value;
    signal output bits[n];
    var sum = 0;
    for (var i = 0; i < n; i++) {
        bits[i] <-- (value >> i) & 1;
        bits[i] * (bits[i] - 1) === 0;
        sum += bits[i] * (1 << i);
    }
    sum === value;
}

// A dot product of full-width and small values, ReLU of a bounded sum, and a chain of fifth powers: constraints without
// a linear part, with wide coefficients, with wires that only B or only C names.
template Neuron(n) {
    signal input weights[n];
    signal input activations[n];
    signal input bias;
    signal output relu;
    signal output digest;

    signal products[n];
    var sum = bias;
    for (var i = 0; i < n; i++) {
        products[i] <== weights[i] * activations[i];
        sum += products[i];
    }
    component sign = Bits(17);
    sign.value <== sum + 65536;
    relu <== sign.bits[16] * sum;

    signal squares[n + 1];
    signal fourths[n + 1];
    signal state[n + 1];
    state[0] <== bias - 21888242871839275222246405745257275088548364400416034343698204186575808495000;
    for (var i = 0; i < n; i++) {
        squares[i] <== (state[i] + weights[i]) * (state[i] + weights[i]);
        fourths[i] <== squares[i] * squares[i];
        state[i + 1] <== fourths[i] * (state[i] + weights[i]) + activations[i];
    }
    squares[n] <== state[n] * state[n];
    fourths[n] <== squares[n] * squares[n];
    digest <== fourths[n] * state[n];
}

component main { public [bias] } = Neuron(20);
